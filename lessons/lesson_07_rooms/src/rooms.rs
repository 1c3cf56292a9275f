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

/// How many batches may wait for one member. It is disconnected when one more comes.
pub const OUTBOX_SIZE: usize = 256;

/// How long the announcement of who joined and who left may wait, unless a message comes
/// first. A crowd that comes or goes is announced together, and not a thousand times.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// All rooms. A room appears with its first member, and vanishes with its last. All clones
/// share the same rooms.
#[derive(Clone, Default)]
pub struct RoomManager {
    rooms: Arc<Mutex<BTreeMap<RoomName, Room>>>,
}

#[derive(Default)]
struct Room {
    outboxes: HashMap<Username, Outbox>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<Utf8Bytes>,
}

/// The sending half of one member's queue.
struct Outbox {
    /// `None` once the queue was full.
    queue: Option<mpsc::Sender<Batch>>,
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
    pub rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: mpsc::Receiver<Batch>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.rooms.leave(&self.room, &self.username);
    }
}

impl RoomManager {
    /// Adds a member, and notifies the others. `None` if the name is taken in this room.
    pub fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut rooms = self.lock();
        let room = rooms.entry(name.clone()).or_default();
        let Entry::Vacant(entry) = room.outboxes.entry(username.clone()) else {
            return None; // And so the room is not new: somebody is in it.
        };
        let skipped = room.announcements.len() + 1;
        entry.insert(Outbox { queue: Some(sender), skipped });
        self.announce(&name, room, &ServerMessage::UserJoined { username: &username });

        Some(Member { room: name, username, rooms: self.clone(), outbox })
    }

    fn leave(&self, name: &RoomName, username: &Username) {
        let mut rooms = self.lock();
        if let Some(room) = rooms.get_mut(name) {
            room.outboxes.remove(username);
            if room.outboxes.is_empty() {
                rooms.remove(name);
            } else {
                self.announce(name, room, &ServerMessage::UserLeft { username });
            }
        }
    }

    /// Announces it to the room a moment later, in one batch with what comes meanwhile.
    fn announce(&self, name: &RoomName, room: &mut Room, message: &ServerMessage) {
        room.announcements.push(message.encode());
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

    pub fn send_personal(&self, name: &RoomName, to: &Username, message: &ServerMessage) {
        let mut rooms = self.lock();
        let room = rooms.get_mut(name);
        if let Some(outbox) = room.and_then(|room| room.outboxes.get_mut(to)) {
            outbox.send([message.encode()].into());
        }
    }

    /// Sends `message` to everyone in `room`. All members receive the same order.
    pub fn broadcast_to_room(&self, name: &RoomName, message: &ServerMessage) {
        let batch: Batch = [message.encode()].into(); // Once, for all of them.
        if let Some(room) = self.lock().get_mut(name) {
            room.flush_announcements();
            for outbox in room.outboxes.values_mut() {
                outbox.send(batch.clone());
            }
        }
    }

    /// All rooms, in the order of their names.
    pub fn list(&self) -> Vec<RoomSummary> {
        let summary = |(name, room): (&RoomName, &Room)| RoomSummary {
            room: name.clone(),
            members: room.outboxes.len(),
        };
        self.lock().iter().map(summary).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomName, Room>> {
        // If a task panics while it holds the lock, the others go on with the rooms.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Sends the announcements that wait, to each member those that came after its own.
    fn flush_announcements(&mut self) {
        let batch: Batch = mem::take(&mut self.announcements).into();
        for outbox in self.outboxes.values_mut() {
            match mem::take(&mut outbox.skipped) {
                0 => outbox.send(batch.clone()),
                skipped => outbox.send(batch[skipped..].into()),
            }
        }
    }
}

impl Outbox {
    /// Queues a batch. If the queue is full, it is closed, and the member's task ends.
    fn send(&mut self, batch: Batch) {
        let Some(queue) = &self.queue else { return };
        if !batch.is_empty() && queue.try_send(batch).is_err() {
            self.queue = None;
        }
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
    fn insert(
        rooms: &RoomManager,
        room: &RoomName,
        id: usize,
        size: usize,
    ) -> mpsc::Receiver<Batch> {
        let (sender, outbox) = mpsc::channel(size);
        let mut all = rooms.lock();
        let outboxes = &mut all.entry(room.clone()).or_default().outboxes;
        outboxes.insert(name(id), Outbox { queue: Some(sender), skipped: 0 });
        outbox
    }

    #[tokio::test]
    async fn a_crowd_that_stalls_at_once_is_removed_and_each_departure_is_announced_once()
    {
        let rooms = RoomManager::default();
        let room = RoomName::try_from("rust".to_owned()).expect("a good name");
        let mut readers: Vec<_> =
            (0..3).map(|id| insert(&rooms, &room, id, OUTBOX_SIZE)).collect();
        let mut stalled: Vec<_> =
            (3..10_003).map(|id| insert(&rooms, &room, id, 1)).collect();
        rooms.broadcast_to_room(&room, &ServerMessage::Pong); // Now 10,000 are full.

        let start = Instant::now();
        rooms.broadcast_to_room(&room, &ServerMessage::Pong);
        (3..10_003).for_each(|id| rooms.leave(&room, &name(id))); // Their tasks end.
        rooms.broadcast_to_room(&room, &ServerMessage::Pong); // After the announcements.
        let duration = start.elapsed();

        let members = rooms.list().iter().map(|room| room.members).sum::<usize>();
        assert_eq!(members, 3, "those who read are still there");
        let limit =
            Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });
        assert!(duration < limit, "10,000 departures took {duration:?}");
        for outbox in &mut stalled {
            assert!(outbox.try_recv().is_ok(), "what was queued is still sent");
            assert!(outbox.is_closed(), "then the task finds its outbox closed");
        }
        for reader in &mut readers {
            let mut left = Vec::new();
            while let Ok(batch) = reader.try_recv() {
                let is_departure = |text: &&Utf8Bytes| text.contains("user_left");
                left.extend(batch.iter().filter(is_departure).cloned());
            }
            assert_eq!(left.len(), 10_000, "each departure is announced");
            let different: HashSet<&str> =
                left.iter().map(|text| text.as_str()).collect();
            assert_eq!(different.len(), 10_000, "and it is announced once");
        }
    }
}
