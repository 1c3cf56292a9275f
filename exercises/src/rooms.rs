//! The rooms, who is in them, and how to reach everybody in one.
//!
//! This is lesson 07's file. New in it is that a `Room` calls the exercises: each adds
//! methods to `Room` in a file of its own, and `exercise(2, …)` is a call of exercise 2.
//! They run under the lock of all rooms, so nothing can happen in between; and so they must
//! be quick, and cannot `.await`.
//!
//! So that they may send whenever they like, `send` and `broadcast` only take note of the
//! message. `deliver` puts it in the outboxes, last thing before the lock is released.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{spawn, sync::mpsc, time::sleep};

use crate::{
    features::Features,
    message_history::MessageHistory,
    protocol::{Chat, ClientMessage, RoomName, ServerMessage, Username},
    rate_limit::RateLimiter,
    resume::Logbook,
    socket::Batch,
    typing_indicator::Typists,
};

/// How many batches may wait for one member. With the next one it is removed.
pub const OUTBOX_SIZE: usize = 256;

/// How long the announcement of a departure may wait, unless a message comes first.
///
/// Nobody notices. But when the connections of a crowd are lost, all who leave meanwhile
/// are announced together.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// How many empty rooms we keep for their history. With one more, the room that has
/// been empty for the longest time is forgotten.
const KEPT_ROOMS: usize = 100;

/// All rooms. A room appears with its first member, and vanishes with its last, unless
/// its history is worth keeping.
///
/// This is only a handle. Clone it freely: all clones share the same rooms.
#[derive(Clone)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
}

struct Rooms {
    features: Features,
    all: BTreeMap<RoomName, Room>,
    /// Those that have been left by everybody and kept, the latest at the end.
    kept: VecDeque<RoomName>,
    limiter: Option<RateLimiter>, // Exercise 6.
}

/// One room. The exercises add methods to it.
#[derive(Default)]
pub struct Room {
    outboxes: HashMap<Username, mpsc::Sender<Batch>>,
    /// What has been sent and not yet delivered, in this order.
    outgoing: Vec<(Recipients, Utf8Bytes)>,
    /// Who has left, and has not yet been announced.
    left: Vec<Username>,
    features: Features,
    pub typists: Typists,        // Exercise 2.
    pub history: MessageHistory, // Exercise 4.
    pub logbook: Logbook,        // Exercise 7.
}

/// Whom a message is for.
#[derive(PartialEq)]
enum Recipients {
    Everyone,
    AllBut(Username),
    Only(Username),
}

impl Recipients {
    fn include(&self, username: &Username) -> bool {
        match self {
            Self::Everyone => true,
            Self::AllBut(other) => username != other,
            Self::Only(other) => username == other,
        }
    }
}

/// One entry of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// Somebody who is in a room, for as long as this lives.
///
/// This is a guard: when it is dropped, the member leaves, and the others are notified.
pub struct Member {
    pub room: RoomName,
    pub username: Username,
    rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: mpsc::Receiver<Batch>,
}

impl Drop for Member {
    fn drop(&mut self) {
        let is_first = self.change(|room| {
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
    /// Does something in the room of this member, and delivers what is sent meanwhile.
    ///
    /// Nothing happens if this member has been removed from the room.
    pub fn in_room<R>(&self, act: impl FnOnce(&mut Room) -> R) -> Option<R> {
        self.change(|room| {
            let done = act(room);
            room.deliver();
            done
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut Room) -> R) -> Option<R> {
        let mut rooms = self.rooms.lock();
        // Nobody can send to us any more? Then our name may be another one's by now.
        if self.outbox.is_closed() {
            return None;
        }
        rooms.change(&self.room, change)
    }

    pub fn features(&self) -> Features {
        self.rooms.lock().features
    }

    /// Whether this person may send `message` now. If not, the error says why.
    pub fn may_send(&self, message: &ClientMessage) -> Result<(), String> {
        match &mut self.rooms.lock().limiter {
            Some(limiter) => limiter.admit(&self.username, message), // Exercise 6.
            None => Ok(()),
        }
    }
}

impl RoomManager {
    /// Without exercise 6, people may send as much as they like.
    pub fn new(features: Features) -> Self {
        let rooms = Rooms {
            features,
            all: BTreeMap::new(),
            kept: VecDeque::new(),
            limiter: features.contains(6).then(RateLimiter::default),
        };
        Self { rooms: Arc::new(Mutex::new(rooms)) }
    }

    /// How many people the rate limiter remembers.
    pub fn remembered(&self) -> usize {
        self.lock().limiter.as_ref().map_or(0, RateLimiter::people)
    }

    /// Adds a member, and tells the others. `None` if the name is taken in this room.
    pub fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let mut rooms = self.lock();
        let features = rooms.features;
        let room = rooms.all.entry(name.clone()).or_insert_with(|| Room::new(features));
        room.deliver(); // Who has left before concerns only those who were there.
        let outbox = room.add(&username)?; // Taken, so the room is not new.
        room.exercise(4, |room| room.send_history(&username));
        let joined = ServerMessage::UserJoined { username: &username };
        room.broadcast(joined.encode(), Some(&username));
        room.exercise(3, |room| room.after_join(&username));
        room.exercise(2, |room| room.send_typists(&username));
        room.deliver();

        Some(Member { room: name, username, rooms: self.clone(), outbox })
    }

    /// All rooms that have members, in the order of their names.
    pub fn list(&self) -> Vec<RoomSummary> {
        self.lock()
            .all
            .iter()
            .filter(|(_, room)| !room.outboxes.is_empty())
            .map(|(name, room)| RoomSummary {
                room: name.clone(),
                members: room.outboxes.len(),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        // Should a task ever panic while it holds the lock, the others go on.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    /// Changes a room. If its last member leaves, it is kept or forgotten.
    fn change<R>(
        &mut self,
        name: &RoomName,
        change: impl FnOnce(&mut Room) -> R,
    ) -> Option<R> {
        let room = self.all.get_mut(name)?;
        let was_empty = room.outboxes.is_empty();
        let done = change(room);
        if room.outboxes.is_empty() && !was_empty {
            self.keep_or_forget(name);
        }
        Some(done)
    }

    /// Decides what becomes of a room that is empty now.
    fn keep_or_forget(&mut self, name: &RoomName) {
        self.kept.retain(|other| other != name);
        let outlives = |room: &mut Room| room.outboxes.is_empty() && room.clear_up();
        if self.all.get_mut(name).is_some_and(outlives) {
            self.kept.push_back(name.clone());
        } else {
            self.all.remove(name);
        }

        if self.kept.len() > KEPT_ROOMS
            && let Some(oldest) = self.kept.pop_front()
            && self.all.get(&oldest).is_some_and(|room| room.outboxes.is_empty())
        {
            self.all.remove(&oldest);
        }
    }
}

impl Room {
    /// Calls an exercise, unless the checks of another one run.
    pub fn exercise<R>(
        &mut self,
        number: u8,
        act: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        self.features.contains(number).then(|| act(self))
    }

    fn new(features: Features) -> Self {
        Self { features, ..Self::default() }
    }

    /// Whether somebody of this name is in the room.
    pub fn has(&self, username: &Username) -> bool {
        self.outboxes.contains_key(username)
    }

    /// Everybody in the room, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = &Username> {
        self.outboxes.keys()
    }

    /// Sends to one member. Without it in the room, nothing happens.
    pub fn send(&mut self, to: &Username, text: Utf8Bytes) {
        self.outgoing.push((Recipients::Only(to.clone()), text));
    }

    /// Sends to everyone but `exclude`.
    ///
    /// All members receive all broadcasts in the same order. A member that is too slow for
    /// them is removed.
    pub fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<&Username>) {
        let recipients = match exclude {
            Some(username) if self.has(username) => Recipients::AllBut(username.clone()),
            _ => Recipients::Everyone,
        };
        self.outgoing.push((recipients, text));
    }

    /// Sends to everyone what somebody has said.
    pub fn chat(&mut self, mut chat: Chat) {
        self.exercise(2, |room| room.stops_typing(&chat.from));
        self.exercise(7, |room| room.number(&mut chat));
        self.broadcast(ServerMessage::Chat(&chat).encode(), None);
        self.exercise(4, |room| room.remember(chat));
    }

    /// Adds a member, whose outbox comes back. `None` if the name is taken.
    pub fn add(&mut self, username: &Username) -> Option<mpsc::Receiver<Batch>> {
        let Entry::Vacant(entry) = self.outboxes.entry(username.clone()) else {
            return None;
        };
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        entry.insert(sender);
        Some(outbox)
    }

    /// Removes a member. The others are told by `deliver`, once.
    pub fn remove(&mut self, username: &Username) {
        if let Some((username, _)) = self.outboxes.remove_entry(username) {
            self.left.push(username);
        }
    }

    /// Puts all that has been sent in the outboxes, and announces who has left.
    ///
    /// A member whose outbox is full is removed and announced in the next round. Why not at
    /// once, by `broadcast` itself? When a network fails, thousands of members stall
    /// together. The first of them that is found would be announced by a broadcast inside
    /// of a broadcast, which finds the second, and so on, until the stack overflows.
    pub fn deliver(&mut self) {
        loop {
            self.announce_left();
            if self.outgoing.is_empty() {
                return;
            }
            let outgoing = mem::take(&mut self.outgoing);
            // Neighbours with the same recipients are one batch. So the departures of a crowd
            // take one slot in an outbox, and do not fill it.
            for neighbours in outgoing.chunk_by(|(one, _), (next, _)| one == next) {
                let recipients = &neighbours[0].0;
                let batch = neighbours.iter().map(|(_, text)| text.clone()).collect();
                self.enqueue(batch, recipients);
            }
        }
    }

    fn announce_left(&mut self) {
        let left = mem::take(&mut self.left);
        for username in &left {
            self.exercise(2, |room| room.stops_typing(username));
            self.broadcast(ServerMessage::UserLeft { username }.encode(), None);
        }
        if let Some(last) = left.last() {
            // Once, however many have left.
            self.exercise(3, |room| room.after_leave(last));
        }
    }

    /// Puts `batch` in the outboxes of `recipients`. Those whose outbox is full are removed.
    fn enqueue(&mut self, batch: Batch, recipients: &Recipients) {
        let is_full =
            |outbox: &mpsc::Sender<Batch>| outbox.try_send(batch.clone()).is_err();

        if let Recipients::Only(to) = recipients {
            // One look-up, however many members there are.
            if self.outboxes.get(to).is_some_and(is_full) {
                self.remove(to);
            }
            return;
        }
        let full = self.outboxes.extract_if(|username, outbox| {
            recipients.include(username) && is_full(outbox)
        });
        self.left.extend(full.map(|(username, _)| username));
    }

    /// Forgets what goes with the last member. Is anything worth keeping?
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
