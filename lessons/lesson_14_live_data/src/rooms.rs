//! The rooms, who is in them, and how to reach everybody in one.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::{
    limits::Limits,
    outbox::{Outbox, Sender, outbox},
    protocol::{RoomName, ToClient, Username},
    socket::Ending,
};

/// All rooms. A room appears with its first member, and vanishes with its last.
///
/// This is only a handle. Clone it freely: all clones share the same rooms.
#[derive(Clone)]
pub struct RoomManager {
    rooms: Arc<Mutex<BTreeMap<RoomName, Room>>>,
    limits: Limits,
}

#[derive(Default)]
struct Room {
    outboxes: HashMap<Username, Sender>,
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
    pub rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: Outbox,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.outbox.close();
        self.rooms.leave(&self.room, &self.username);
    }
}

impl RoomManager {
    pub fn new(limits: Limits) -> Self {
        Self { rooms: Arc::default(), limits }
    }

    /// Adds a member, and tells the others. The error says why there is no place.
    pub fn join(&self, room: RoomName, username: Username) -> Result<Member, Ending> {
        let Limits { members_per_room, outbox: size, slow_client, .. } = self.limits;

        let mut rooms = self.lock();
        if rooms.len() == self.limits.rooms && !rooms.contains_key(&room) {
            return Err(Ending::TOO_MANY_ROOMS);
        }
        let joined = rooms.entry(room.clone()).or_default();
        let members = joined.outboxes.len();
        // After an error the room is not new, because somebody is in it.
        let Entry::Vacant(place) = joined.outboxes.entry(username.clone()) else {
            return Err(Ending::NAME_TAKEN);
        };
        if members == members_per_room {
            return Err(Ending::ROOM_FULL);
        }
        let (sender, outbox) = outbox(size, slow_client);
        place.insert(sender);
        joined.broadcast(&ToClient::UserJoined { username: &username }, Some(&username));

        Ok(Member { room, username, rooms: self.clone(), outbox })
    }

    fn leave(&self, room: &RoomName, username: &Username) {
        self.change(room, |room| {
            // Why look whether it is closed? A member that lost its place may have
            // left it to another one with the same name, whose outbox is open.
            if room.outboxes.get(username).is_some_and(Sender::is_closed) {
                room.remove(username);
            }
        });
    }

    pub fn send_personal(&self, room: &RoomName, to: &Username, message: &ToClient) {
        self.change(room, |room| {
            let outbox = room.outboxes.get(to);
            if outbox.is_some_and(|outbox| !outbox.send(message.encode())) {
                room.remove(to);
            }
        });
    }

    /// Sends `message` to everyone in `room`.
    ///
    /// All members receive all broadcasts in the same order.
    pub fn broadcast_to_room(&self, room: &RoomName, message: &ToClient) {
        self.change(room, |room| room.broadcast(message, None));
    }

    /// All rooms, in the order of their names.
    pub fn list(&self) -> Vec<RoomSummary> {
        self.lock()
            .iter()
            .map(|(name, room)| RoomSummary {
                room: name.clone(),
                members: room.outboxes.len(),
            })
            .collect()
    }

    /// Does something to a room. If nobody is left in it then, the room vanishes.
    fn change(&self, name: &RoomName, change: impl FnOnce(&mut Room)) {
        let mut rooms = self.lock();
        if let Some(room) = rooms.get_mut(name) {
            change(room);
            if room.outboxes.is_empty() {
                rooms.remove(name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomName, Room>> {
        // Should a task ever panic with the lock in hand, the others go on: we leave
        // no room half changed.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Puts `message` in the outbox of everyone but `exclude`.
    ///
    /// A member whose outbox takes no more loses its place.
    fn broadcast(&mut self, message: &ToClient, exclude: Option<&Username>) {
        let too_slow = self.post(message, exclude);
        self.remove_all(too_slow);
    }

    /// Does so, and returns those whose outbox takes no more.
    fn post(&self, message: &ToClient, exclude: Option<&Username>) -> Vec<Username> {
        let text = message.encode(); // Once, for all of them.
        let mut too_slow = Vec::new();
        for (username, outbox) in &self.outboxes {
            if Some(username) != exclude && !outbox.send(text.clone()) {
                too_slow.push(username.clone());
            }
        }
        too_slow
    }

    /// Takes a member off the list, and tells the others, once.
    fn remove(&mut self, username: &Username) {
        self.remove_all(vec![username.clone()]);
    }

    /// Takes members off the list, and then tells the others: who is told may turn out to
    /// be too slow as well.
    fn remove_all(&mut self, mut leaving: Vec<Username>) {
        while !leaving.is_empty() {
            leaving.retain(|username| self.outboxes.remove(username).is_some());
            leaving = leaving
                .iter()
                .flat_map(|username| self.post(&ToClient::UserLeft { username }, None))
                .collect();
        }
    }
}
