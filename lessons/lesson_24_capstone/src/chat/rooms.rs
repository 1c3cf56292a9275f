//! The rooms, who is in them, and how to reach everybody in one.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{spawn, time::sleep};

use super::protocol::{RoomName, ServerMessage};
use crate::{
    config::{Config, SlowClient},
    names::Username,
    server::Shutdown,
    session::{
        Disconnect,
        json::encode,
        outbox::{Outbox, Sender, outbox},
    },
};

/// How long the announcement of who joined and who left may wait, unless a message comes
/// first. A crowd that comes or goes is announced together, and not a thousand times.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// All rooms. A room appears with its first member, and vanishes with its last. All clones
/// share the same rooms.
#[derive(Clone)]
pub struct RoomManager {
    rooms: Arc<Mutex<BTreeMap<RoomName, Room>>>,
    limits: Limits,
    shutdown: Shutdown,
}

#[derive(Clone, Copy)]
struct Limits {
    rooms: usize,
    members_per_room: usize,
    outbox_size: usize,
    slow_client: SlowClient,
}

#[derive(Default)]
struct Room {
    members: HashMap<Username, MemberEntry>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<Utf8Bytes>,
}

struct MemberEntry {
    outbox: Sender,
    /// How many of the announcements that wait are older than this member, or its own.
    skipped: usize,
}

/// One entry of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// Somebody who is in a room, for as long as this guard lives.
pub struct Member {
    pub room: RoomName,
    pub username: Username,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: Outbox,
    rooms: RoomManager,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.rooms.leave(&self.room, &self.username);
    }
}

impl Member {
    /// Sends `message` to this member alone.
    pub fn send(&self, message: &ServerMessage) {
        let rooms = self.rooms.lock();
        let room = rooms.get(&self.room);
        if let Some(entry) = room.and_then(|room| room.members.get(&self.username)) {
            entry.outbox.send(encode(message)); // If it is full, its task ends.
        }
    }

    /// Sends `message` to everyone in the room. All members receive the same order.
    pub fn broadcast(&self, message: &ServerMessage) {
        let text = encode(message); // Once, for all of them.
        if let Some(room) = self.rooms.lock().get_mut(&self.room) {
            room.flush_announcements();
            for entry in room.members.values() {
                entry.outbox.send(text.clone());
            }
        }
    }
}

impl RoomManager {
    pub fn new(config: &Config, shutdown: Shutdown) -> Self {
        let limits = Limits {
            rooms: config.max_rooms.get(),
            members_per_room: config.max_members_per_room.get(),
            outbox_size: config.outbox_size,
            slow_client: config.slow_client,
        };
        Self { rooms: Arc::default(), limits, shutdown }
    }

    /// Adds a member, and notifies the others. The error says why this is not possible.
    pub fn join(&self, name: RoomName, username: Username) -> Result<Member, Disconnect> {
        if self.shutdown.is_stopping() {
            return Err(Disconnect::GOING_AWAY);
        }
        let mut rooms = self.lock();
        if rooms.len() >= self.limits.rooms && !rooms.contains_key(&name) {
            return Err(Disconnect::TOO_MANY_ROOMS);
        }
        let room = rooms.entry(name.clone()).or_default();
        let outbox = room.insert(&username, self.limits)?;
        self.announce(&name, room, &ServerMessage::UserJoined { username: &username });

        Ok(Member { room: name, username, outbox, rooms: self.clone() })
    }

    fn leave(&self, name: &RoomName, username: &Username) {
        let mut rooms = self.lock();
        if let Some(room) = rooms.get_mut(name) {
            room.members.remove(username);
            if room.members.is_empty() {
                rooms.remove(name);
            } else {
                self.announce(name, room, &ServerMessage::UserLeft { username });
            }
        }
    }

    /// Announces it to the room a moment later, in one batch with what comes meanwhile.
    ///
    /// Not during a shutdown: everybody leaves then.
    fn announce(&self, name: &RoomName, room: &mut Room, message: &ServerMessage) {
        if self.shutdown.is_stopping() {
            return;
        }
        room.announcements.push(encode(message));
        if room.announcements.len() == 1 {
            let (rooms, name) = (self.clone(), name.clone());
            spawn(async move {
                sleep(ANNOUNCE_DELAY).await;
                if let Some(room) = rooms.lock().get_mut(&name) {
                    room.flush_announcements();
                }
            });
        }
    }

    /// All rooms, in the order of their names.
    pub fn list(&self) -> Vec<RoomSummary> {
        let summary = |(name, room): (&RoomName, &Room)| RoomSummary {
            room: name.clone(),
            members: room.members.len(),
        };
        self.lock().iter().map(summary).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomName, Room>> {
        // If a task panics while it holds the lock, the others go on with the rooms.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Adds a member. After an error the room is not new, because somebody is in it.
    fn insert(
        &mut self,
        username: &Username,
        limits: Limits,
    ) -> Result<Outbox, Disconnect> {
        let is_full = self.members.len() >= limits.members_per_room;
        let Entry::Vacant(entry) = self.members.entry(username.clone()) else {
            return Err(Disconnect::NAME_TAKEN);
        };
        if is_full {
            return Err(Disconnect::ROOM_FULL);
        }
        let (sender, outbox) = outbox(limits.outbox_size, limits.slow_client);
        let skipped = self.announcements.len() + 1;
        entry.insert(MemberEntry { outbox: sender, skipped });
        Ok(outbox)
    }

    /// Sends the announcements that wait, to each member those that came after its own.
    fn flush_announcements(&mut self) {
        let batch = mem::take(&mut self.announcements);
        for entry in self.members.values_mut() {
            for text in &batch[mem::take(&mut entry.skipped).min(batch.len())..] {
                entry.outbox.send(text.clone());
            }
        }
    }
}
