//! Another design: one broadcast channel for each room, in place of an outbox for each
//! member.
//!
//! Every message passes every member's task, and each takes what is for it. The channel
//! keeps the last messages, and whoever is further behind is told so (`Lagged`), and goes.
//!
//! What it gains: a message is put somewhere once, however many members there are.
//!
//! What it costs: private messages take slots in the channel of all, and each task looks at
//! each of them. And nobody but its own task finds that a member is too slow, when a write
//! has taken too long. When thousands stall together, thousands of tasks end one by one. If
//! each departure took a slot, those who still read would fall behind and be disconnected,
//! too; so the delay, in which departures wait for each other, cannot be left out here.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{spawn, sync::broadcast, time::sleep};

use crate::{
    features::Features,
    message_history::MessageHistory,
    protocol::{Chat, ClientMessage, RoomName, ServerMessage, Username},
    rate_limit::RateLimiter,
    resume::Logbook,
    socket::Batch,
    typing_indicator::Typists,
};

/// How many batches a room keeps for members that read slowly.
const CHANNEL_SIZE: usize = 256;

/// How long the announcement of a departure may wait, unless a message comes first.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// How many empty rooms we keep for their history.
const KEPT_ROOMS: usize = 100;

#[derive(Clone)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
}

struct Rooms {
    features: Features,
    all: BTreeMap<RoomName, Room>,
    kept: VecDeque<RoomName>,
    limiter: Option<RateLimiter>,
}

pub struct Room {
    names: BTreeSet<Username>,
    channel: broadcast::Sender<Envelope>,
    /// What has been sent and not yet delivered, in this order.
    outgoing: Vec<(Recipients, Utf8Bytes)>,
    /// Who has left, and has not yet been announced.
    left: Vec<Username>,
    features: Features,
    pub typists: Typists,
    pub history: MessageHistory,
    pub logbook: Logbook,
}

/// Some messages, and whom they are for. It can be read like the batch.
#[derive(Clone)]
pub struct Envelope {
    pub recipients: Recipients,
    pub batch: Batch,
}

impl Deref for Envelope {
    type Target = [Utf8Bytes];

    fn deref(&self) -> &[Utf8Bytes] {
        &self.batch
    }
}

#[derive(Clone, PartialEq)]
pub enum Recipients {
    Everyone,
    AllBut(Username),
    Only(Username),
}

impl Recipients {
    pub fn include(&self, username: &Username) -> bool {
        match self {
            Self::Everyone => true,
            Self::AllBut(other) => username != other,
            Self::Only(other) => username == other,
        }
    }
}

#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

pub struct Member {
    pub room: RoomName,
    pub username: Username,
    rooms: RoomManager,
    /// All that is sent in the room.
    pub channel: broadcast::Receiver<Envelope>,
}

impl Drop for Member {
    fn drop(&mut self) {
        let is_first = self.rooms.lock().change(&self.room, |room| {
            room.remove(&self.username);
            room.left.len() == 1
        });
        // The first one who leaves sees to it that all are announced.
        if is_first == Some(true) {
            let (rooms, name) = (self.rooms.clone(), self.room.clone());
            spawn(async move {
                sleep(ANNOUNCE_DELAY).await;
                rooms.lock().change(&name, Room::deliver);
            });
        }
    }
}

impl Member {
    pub fn in_room<R>(&self, act: impl FnOnce(&mut Room) -> R) -> Option<R> {
        self.rooms.lock().change(&self.room, |room| {
            let done = act(room);
            room.deliver();
            done
        })
    }

    pub fn features(&self) -> Features {
        self.rooms.lock().features
    }

    pub fn may_send(&self, message: &ClientMessage) -> Result<(), String> {
        match &mut self.rooms.lock().limiter {
            Some(limiter) => limiter.admit(&self.username, message),
            None => Ok(()),
        }
    }
}

impl RoomManager {
    pub fn new(features: Features) -> Self {
        let rooms = Rooms {
            features,
            all: BTreeMap::new(),
            kept: VecDeque::new(),
            limiter: features.contains(6).then(RateLimiter::default),
        };
        Self { rooms: Arc::new(Mutex::new(rooms)) }
    }

    pub fn remembered(&self) -> usize {
        self.lock().limiter.as_ref().map_or(0, RateLimiter::people)
    }

    pub fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let mut rooms = self.lock();
        let features = rooms.features;
        let new = || Room { features, ..Room::default() };
        let room = rooms.all.entry(name.clone()).or_insert_with(new);
        room.deliver(); // Who has left before concerns only those who were there.

        // From here on it receives all; and while we hold the lock, nobody else sends.
        let channel = room.add(&username)?;
        room.exercise(4, |room| room.send_history(&username));
        let joined = ServerMessage::UserJoined { username: &username };
        room.broadcast(joined.encode(), Some(&username));
        room.exercise(3, |room| room.after_join(&username));
        room.exercise(2, |room| room.send_typists(&username));
        room.deliver();

        Some(Member { room: name, username, rooms: self.clone(), channel })
    }

    pub fn list(&self) -> Vec<RoomSummary> {
        self.lock()
            .all
            .iter()
            .filter(|(_, room)| !room.names.is_empty())
            .map(|(name, room)| RoomSummary {
                room: name.clone(),
                members: room.names.len(),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    fn change<R>(
        &mut self,
        name: &RoomName,
        change: impl FnOnce(&mut Room) -> R,
    ) -> Option<R> {
        let room = self.all.get_mut(name)?;
        let was_empty = room.names.is_empty();
        let done = change(room);
        if room.names.is_empty() && !was_empty {
            self.keep_or_forget(name);
        }
        Some(done)
    }

    fn keep_or_forget(&mut self, name: &RoomName) {
        self.kept.retain(|other| other != name);
        if self.all.get_mut(name).is_some_and(Room::clear_up) {
            self.kept.push_back(name.clone());
        } else {
            self.all.remove(name);
        }

        if self.kept.len() > KEPT_ROOMS
            && let Some(oldest) = self.kept.pop_front()
            && self.all.get(&oldest).is_some_and(|room| room.names.is_empty())
        {
            self.all.remove(&oldest);
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self {
            names: BTreeSet::new(),
            channel: broadcast::Sender::new(CHANNEL_SIZE),
            outgoing: Vec::new(),
            left: Vec::new(),
            features: Features::ALL,
            typists: Typists::default(),
            history: MessageHistory::default(),
            logbook: Logbook::default(),
        }
    }
}

impl Room {
    pub fn exercise<R>(
        &mut self,
        number: u8,
        act: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        self.features.contains(number).then(|| act(self))
    }

    pub fn has(&self, username: &Username) -> bool {
        self.names.contains(username)
    }

    pub fn members(&self) -> impl Iterator<Item = &Username> {
        self.names.iter()
    }

    pub fn send(&mut self, to: &Username, text: Utf8Bytes) {
        self.outgoing.push((Recipients::Only(to.clone()), text));
    }

    pub fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<&Username>) {
        let recipients = match exclude {
            Some(username) if self.has(username) => Recipients::AllBut(username.clone()),
            _ => Recipients::Everyone,
        };
        self.outgoing.push((recipients, text));
    }

    pub fn chat(&mut self, mut chat: Chat) {
        self.exercise(2, |room| room.stops_typing(&chat.from));
        self.exercise(7, |room| room.number(&mut chat));
        self.broadcast(ServerMessage::Chat(&chat).encode(), None);
        self.exercise(4, |room| room.remember(chat));
    }

    pub fn add(&mut self, username: &Username) -> Option<broadcast::Receiver<Envelope>> {
        self.names.insert(username.clone()).then(|| self.channel.subscribe())
    }

    pub fn remove(&mut self, username: &Username) {
        if let Some(username) = self.names.take(username) {
            self.left.push(username);
        }
    }

    /// Puts all that has been sent in the channel, and announces who has left. Neighbours
    /// with the same recipients are one batch.
    pub fn deliver(&mut self) {
        let left = mem::take(&mut self.left);
        for username in &left {
            self.exercise(2, |room| room.stops_typing(username));
            self.broadcast(ServerMessage::UserLeft { username }.encode(), None);
        }
        if let Some(last) = left.last() {
            // Once, however many have left.
            self.exercise(3, |room| room.after_leave(last));
        }

        let outgoing = mem::take(&mut self.outgoing);
        for neighbours in outgoing.chunk_by(|(one, _), (next, _)| one == next) {
            let recipients = neighbours[0].0.clone();
            let batch = neighbours.iter().map(|(_, text)| text.clone()).collect();
            let _ = self.channel.send(Envelope { recipients, batch }); // Or nobody is there.
        }
    }

    fn clear_up(&mut self) -> bool {
        let history = self.exercise(4, |room| room.history.outlives_the_room());
        if history != Some(true) {
            self.history = MessageHistory::default();
        }
        let logbook = self.exercise(7, |room| room.logbook.outlives_the_room());
        if logbook != Some(true) {
            self.logbook = Logbook::default();
        }
        history == Some(true) || logbook == Some(true)
    }
}
