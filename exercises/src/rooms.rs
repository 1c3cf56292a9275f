//! The rooms, who is in them, and how to reach everybody in one.
//!
//! This is lesson 07's file. New in it is that a `Room` calls the exercises: each adds
//! methods to `Room` in a file of its own. They run under the lock of all rooms, so
//! nothing can happen in between; and so they must be quick, and cannot `.await`.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    message_history::MessageHistory,
    protocol::{Chat, FromClient, RoomName, ToClient, Username},
    rate_limit::RateLimiter,
    resume::Logbook,
    typing_indicator::Typists,
};

/// How many messages may wait for one member. It loses its place with the next one.
pub const OUTBOX_SIZE: usize = 256;

/// How many empty rooms we keep for their history. With one more, the room that has
/// been empty for the longest time is forgotten.
const KEPT_ROOMS: usize = 100;

/// All rooms. A room appears with its first member, and vanishes with its last, unless
/// its history is worth keeping.
///
/// This is only a handle. Clone it freely: all clones share the same rooms. By default
/// people may say as much as they like in them.
#[derive(Clone, Default)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Default)]
struct Rooms {
    all: BTreeMap<RoomName, Room>,
    /// Those that have been left by everybody and kept, the latest at the end.
    kept: VecDeque<RoomName>,
    limiter: Option<RateLimiter>, // Exercise 6.
}

/// One room. The exercises add methods to it.
#[derive(Default)]
pub struct Room {
    outboxes: HashMap<Username, mpsc::Sender<Utf8Bytes>>,
    pub typists: Typists,        // Exercise 2.
    pub history: MessageHistory, // Exercise 4.
    pub logbook: Logbook,        // Exercise 7.
}

/// One line of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// One person's place in a room, which it gives up when this is dropped.
pub struct Member {
    pub room: RoomName,
    pub username: Username,
    rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Member {
    fn drop(&mut self) {
        // After a panic in our task, a second one would end the server. The next
        // broadcast finds our outbox closed, and takes us off the list.
        if !thread::panicking() {
            self.in_room(|room| room.remove(&self.username));
        }
    }
}

impl Member {
    /// Does something in the room of this member, unless it has lost its place there.
    pub fn in_room<R>(&self, act: impl FnOnce(&mut Room) -> R) -> Option<R> {
        let mut rooms = self.rooms.lock();
        // Nobody can write to us any more? Then our name may be another one's by now.
        if self.outbox.is_closed() {
            return None;
        }
        let room = rooms.all.get_mut(&self.room)?;
        let done = act(room);
        if room.outboxes.is_empty() {
            rooms.keep_or_forget(&self.room);
        }
        Some(done)
    }

    /// Whether this person may say `message` now. If not, the error says why.
    pub fn may_say(&self, message: &FromClient) -> Result<(), String> {
        match &mut self.rooms.lock().limiter {
            Some(limiter) => limiter.admit(&self.username, message), // Exercise 6.
            None => Ok(()),
        }
    }
}

impl RoomManager {
    /// Rooms in which nobody may say too much.
    pub fn with_rate_limit() -> Self {
        let rooms = Self::default();
        rooms.lock().limiter = Some(RateLimiter::default());
        rooms
    }

    /// How many people the rate limiter remembers.
    pub fn remembered(&self) -> usize {
        self.lock().limiter.as_ref().map_or(0, RateLimiter::people)
    }

    /// Adds a member, and tells the others. `None` if the name is taken in this room.
    pub fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut rooms = self.lock();
        let room = rooms.all.entry(name.clone()).or_default();
        let Entry::Vacant(place) = room.outboxes.entry(username.clone()) else {
            return None; // And so the room is not new: somebody is in it.
        };
        place.insert(sender);
        room.send_history(&username); // Exercise 4.
        let joined = ToClient::UserJoined { username: &username };
        room.broadcast(joined.encode(), Some(&username));
        room.after_join(&username); // Exercise 3.

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
        // Should a task ever panic with the lock in hand, the others go on.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
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
        let outbox = self.outboxes.get(to);
        if outbox.is_some_and(|outbox| outbox.try_send(text).is_err()) {
            self.remove(to);
        }
    }

    /// Sends to everyone but `exclude`. All members receive all broadcasts in the same
    /// order.
    ///
    /// A member whose outbox is full loses its place.
    pub fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<&Username>) {
        let mut too_slow = Vec::new();
        for (username, outbox) in &self.outboxes {
            if Some(username) != exclude && outbox.try_send(text.clone()).is_err() {
                too_slow.push(username.clone());
            }
        }
        for username in &too_slow {
            self.remove(username);
        }
    }

    /// Tells everyone what somebody has said.
    pub fn chat(&mut self, mut chat: Chat) {
        self.stops_typing(&chat.from); // Exercise 2.
        self.number(&mut chat); // Exercise 7.
        self.broadcast(ToClient::Chat(&chat).encode(), None);
        self.remember(chat); // Exercise 4.
    }

    /// Takes a member off the list, and tells the others, once.
    fn remove(&mut self, username: &Username) {
        if self.outboxes.remove(username).is_some() {
            self.stops_typing(username); // Exercise 2.
            self.broadcast(ToClient::UserLeft { username }.encode(), None);
            self.after_leave(username); // Exercise 3.
        }
    }

    /// Forgets what goes with the last member. Is anything worth keeping?
    fn clear_up(&mut self) -> bool {
        let history = self.history.outlives_the_room(); // Exercise 4.
        if !history {
            self.history = MessageHistory::default();
        }
        let logbook = self.logbook.outlives_the_room(); // Exercise 7.
        if !logbook {
            self.logbook = Logbook::default();
        }
        history || logbook
    }
}
