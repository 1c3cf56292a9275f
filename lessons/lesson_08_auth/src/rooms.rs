//! The rooms, who is in them, and how to reach everybody in one.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{spawn, sync::mpsc, time::sleep};

use crate::{
    protocol::{RoomName, ServerMessage, Username},
    socket::Batch,
};

/// How many batches may wait for one member. With the next one it is removed.
///
/// A burst of honest messages must fit. Somebody who floods on purpose can still fill
/// the outboxes of others.
pub const OUTBOX_SIZE: usize = 256;

/// How long the announcement of who joined and who left may wait, unless a message comes
/// first.
///
/// Nobody notices. But when a crowd comes or goes, all of it is announced together: a
/// thousand times one message to a thousand members would keep the server busy for
/// seconds.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// All rooms. A room appears with its first member, and vanishes with its last.
///
/// This is only a handle. Clone it freely: all clones share the same rooms.
#[derive(Clone, Default)]
pub struct RoomManager {
    rooms: Arc<Mutex<BTreeMap<RoomName, Room>>>,
}

#[derive(Default)]
struct Room {
    outboxes: HashMap<Username, mpsc::Sender<Batch>>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<Utf8Bytes>,
    /// Who has joined meanwhile, and how many of `announcements` each of them skips: those up to
    /// its own.
    newcomers: HashMap<Username, usize>,
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
    pub rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: mpsc::Receiver<Batch>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.outbox.close();
        self.rooms.leave(&self.room, &self.username);
    }
}

impl RoomManager {
    /// Adds a member, and notifies the others. `None` if the name is taken in this room.
    pub fn join(&self, room: RoomName, username: Username) -> Option<Member> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut rooms = self.lock();
        let joined = rooms.entry(room.clone()).or_default();
        let Entry::Vacant(entry) = joined.outboxes.entry(username.clone()) else {
            return None; // And so the room is not new: somebody is in it.
        };
        entry.insert(sender);
        joined
            .announcements
            .push(ServerMessage::UserJoined { username: &username }.encode());
        joined.newcomers.insert(username.clone(), joined.announcements.len());
        self.announce_soon(&room, joined);

        Some(Member { room, username, rooms: self.clone(), outbox })
    }

    fn leave(&self, name: &RoomName, username: &Username) {
        self.change(name, |room| {
            // Why look whether it is closed? A member that was removed may find another
            // one under its name, whose outbox is open.
            if room.outboxes.get(username).is_some_and(mpsc::Sender::is_closed) {
                room.remove(username);
                self.announce_soon(name, room);
            }
        });
    }

    /// Announces a moment later who joined and left, in one batch with what comes meanwhile.
    fn announce_soon(&self, name: &RoomName, room: &Room) {
        if room.announcements.len() == 1 {
            let (rooms, name) = (self.clone(), name.clone());
            spawn(async move {
                sleep(ANNOUNCE_DELAY).await;
                rooms.change(&name, Room::announce);
            });
        }
    }

    pub fn send_personal(&self, name: &RoomName, to: &Username, message: &ServerMessage) {
        self.change(name, |room| {
            let outbox = room.outboxes.get(to);
            if outbox
                .is_some_and(|outbox| outbox.try_send([message.encode()].into()).is_err())
            {
                room.remove(to);
                self.announce_soon(name, room);
            }
        });
    }

    /// Sends `message` to everyone in `room`.
    ///
    /// All members receive all broadcasts in the same order.
    pub fn broadcast_to_room(&self, room: &RoomName, message: &ServerMessage) {
        self.change(room, |room| room.broadcast(message));
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

    /// Changes a room. If nobody is in it afterwards, the room vanishes.
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
        // Should a task ever panic while it holds the lock, the others go on: no change
        // is left half done.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Puts `message` in the outbox of everyone, after the announcements that wait.
    ///
    /// A member whose outbox is full is removed, and the others are notified.
    fn broadcast(&mut self, message: &ServerMessage) {
        self.announce();
        let batch: Batch = [message.encode()].into(); // Once, for all of them.
        self.enqueue(|_| batch.clone());
        self.announce();
    }

    /// Removes a member. That it has left waits to be announced.
    fn remove(&mut self, username: &Username) {
        if self.outboxes.remove(username).is_some() {
            self.announcements.push(ServerMessage::UserLeft { username }.encode());
        }
    }

    /// Sends the announcements that wait. A newcomer gets only those that came after its own.
    fn announce(&mut self) {
        while !self.announcements.is_empty() {
            let batch: Batch = mem::take(&mut self.announcements).into();
            let newcomers = mem::take(&mut self.newcomers);
            self.enqueue(|username| match newcomers.get(username) {
                Some(&skipped) => batch[skipped..].into(),
                None => batch.clone(),
            });
        }
    }

    /// Puts a batch in the outbox of everyone.
    ///
    /// Members whose outbox is full are removed.
    fn enqueue(&mut self, batch_for: impl Fn(&Username) -> Batch) {
        let slow = self.outboxes.extract_if(|username, outbox| {
            let batch = batch_for(username);
            !batch.is_empty() && outbox.try_send(batch).is_err()
        });

        let left =
            |(username, _)| ServerMessage::UserLeft { username: &username }.encode();
        self.announcements.extend(slow.map(left));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        time::{Duration, Instant},
    };

    use super::*;

    fn name(id: usize) -> Username {
        Username::try_from(format!("member-{id}")).expect("a good name")
    }

    /// A member whose outbox takes so many batches.
    fn insert(room: &mut Room, id: usize, size: usize) -> mpsc::Receiver<Batch> {
        let (sender, outbox) = mpsc::channel(size);
        room.outboxes.insert(name(id), sender);
        outbox
    }

    #[test]
    fn a_crowd_that_stalls_at_once_is_removed_and_each_departure_is_announced_once() {
        let mut room = Room::default();
        let mut readers: Vec<_> =
            (0..3).map(|id| insert(&mut room, id, OUTBOX_SIZE)).collect();
        let _stalled: Vec<_> = (3..10_003).map(|id| insert(&mut room, id, 1)).collect();
        room.broadcast(&ServerMessage::Pong); // Now 10,000 outboxes are full.

        let start = Instant::now();
        room.broadcast(&ServerMessage::Pong);
        let duration = start.elapsed();

        let limit =
            Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });
        assert!(duration < limit, "10,000 departures took {duration:?}");
        assert_eq!(room.outboxes.len(), 3, "those who read are still there");
        for reader in &mut readers {
            let mut left = Vec::new();
            while let Ok(batch) = reader.try_recv() {
                left.extend(
                    batch.iter().filter(|text| text.contains("user_left")).cloned(),
                );
            }
            assert_eq!(left.len(), 10_000, "each departure is announced");
            let different: HashSet<&str> =
                left.iter().map(|text| text.as_str()).collect();
            assert_eq!(different.len(), 10_000, "and it is announced once");
        }
    }
}
