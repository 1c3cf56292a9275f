//! Another design: one broadcast channel for each room, in place of a queue for each
//! member.
//!
//! Every message passes every member's task, and each takes what is for it. The channel
//! keeps the last messages, and whoever is further behind is told so (`Lagged`), and goes.
//!
//! What it costs: whispers take room in the backlog of all, and each task looks at each of
//! them. What it gains: a message is put somewhere once, however many members there are.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{
    message_history::MessageHistory,
    protocol::{Chat, FromClient, RoomName, ToClient, Username},
    rate_limit::RateLimiter,
    resume::Logbook,
    typing_indicator::Typists,
};

/// How many messages a room keeps for members that read slowly.
const BACKLOG: usize = 256;

/// How many empty rooms we keep for their history.
const KEPT_ROOMS: usize = 100;

#[derive(Clone, Default)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Default)]
struct Rooms {
    all: BTreeMap<RoomName, Room>,
    kept: VecDeque<RoomName>,
    limiter: Option<RateLimiter>,
}

pub struct Room {
    names: BTreeSet<Username>,
    letters: broadcast::Sender<Letter>,
    pub typists: Typists,
    pub history: MessageHistory,
    pub logbook: Logbook,
}

/// A message, and whom it is for.
#[derive(Clone)]
pub struct Letter {
    pub text: Utf8Bytes,
    address: Address,
}

#[derive(Clone)]
enum Address {
    All,
    AllBut(Username),
    Only(Username),
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
    pub letters: broadcast::Receiver<Letter>,
}

impl Letter {
    pub fn is_for(&self, username: &Username) -> bool {
        match &self.address {
            Address::All => true,
            Address::AllBut(other) => username != other,
            Address::Only(other) => username == other,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.in_room(|room| room.remove(&self.username));
        }
    }
}

impl Member {
    pub fn in_room<R>(&self, act: impl FnOnce(&mut Room) -> R) -> Option<R> {
        let mut rooms = self.rooms.lock();
        let room = rooms.all.get_mut(&self.room)?;
        let done = act(room);
        if room.names.is_empty() {
            rooms.keep_or_forget(&self.room);
        }
        Some(done)
    }

    pub fn may_say(&self, message: &FromClient) -> Result<(), String> {
        match &mut self.rooms.lock().limiter {
            Some(limiter) => limiter.admit(&self.username, message),
            None => Ok(()),
        }
    }
}

impl RoomManager {
    pub fn with_rate_limit() -> Self {
        let rooms = Self::default();
        rooms.lock().limiter = Some(RateLimiter::default());
        rooms
    }

    pub fn remembered(&self) -> usize {
        self.lock().limiter.as_ref().map_or(0, RateLimiter::people)
    }

    pub fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let mut rooms = self.lock();
        let room = rooms.all.entry(name.clone()).or_default();
        if !room.names.insert(username.clone()) {
            return None;
        }
        // From here on it hears all; and while we hold the lock, nobody else speaks.
        let letters = room.letters.subscribe();
        room.send_history(&username);
        let joined = ToClient::UserJoined { username: &username };
        room.broadcast(joined.encode(), Some(&username));
        room.after_join(&username);

        Some(Member { room: name, username, rooms: self.clone(), letters })
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
            letters: broadcast::Sender::new(BACKLOG),
            typists: Typists::default(),
            history: MessageHistory::default(),
            logbook: Logbook::default(),
        }
    }
}

impl Room {
    pub fn has(&self, username: &Username) -> bool {
        self.names.contains(username)
    }

    pub fn members(&self) -> impl Iterator<Item = &Username> {
        self.names.iter()
    }

    pub fn send(&mut self, to: &Username, text: Utf8Bytes) {
        self.post(text, Address::Only(to.clone()));
    }

    pub fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<&Username>) {
        self.post(text, exclude.cloned().map_or(Address::All, Address::AllBut));
    }

    pub fn chat(&mut self, mut chat: Chat) {
        self.stops_typing(&chat.from);
        self.number(&mut chat);
        self.broadcast(ToClient::Chat(&chat).encode(), None);
        self.remember(chat);
    }

    fn remove(&mut self, username: &Username) {
        if self.names.remove(username) {
            self.stops_typing(username);
            self.broadcast(ToClient::UserLeft { username }.encode(), None);
            self.after_leave(username);
        }
    }

    fn clear_up(&mut self) -> bool {
        let history = self.history.outlives_the_room();
        if !history {
            self.history = MessageHistory::default();
        }
        let logbook = self.logbook.outlives_the_room();
        if !logbook {
            self.logbook = Logbook::default();
        }
        history || logbook
    }

    fn post(&self, text: Utf8Bytes, address: Address) {
        let _ = self.letters.send(Letter { text, address }); // Or nobody is there.
    }
}
