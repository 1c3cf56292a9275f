//! The rooms, who is in them, and how to reach everybody in one.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::{State, ws::Utf8Bytes},
};
use lesson_08_auth::{OUTBOX_SIZE, RoomName, ServerMessage, Username, encode};
use serde::Serialize;
use tokio::{spawn, time::sleep};

use crate::outbox::{Batch, Outbox, Sender, SlowClient, outbox};

/// How long the announcement of who joined and who left may wait, unless a message comes
/// first. A crowd that comes or goes is announced together, and not a thousand times.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// All rooms. A room appears with its first member, and vanishes with its last. All clones
/// share the same rooms.
#[derive(Clone)]
pub struct RoomManager {
    rooms: Arc<Mutex<BTreeMap<RoomName, Room>>>,
    slow_client: SlowClient,
}

#[derive(Default)]
struct Room {
    members: HashMap<Username, MemberEntry>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<Utf8Bytes>,
}

/// What a room keeps of a member.
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
    rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: Outbox,
}

impl Member {
    /// Sends `message` to this member.
    pub fn send(&self, message: &impl Serialize) {
        self.rooms.send_personal(&self.room, &self.username, message);
    }

    /// Sends `message` to everyone in the room, to this member too.
    pub fn broadcast(&self, message: &impl Serialize) {
        self.rooms.broadcast_to_room(&self.room, message);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.rooms.leave(&self.room, &self.username);
    }
}

impl RoomManager {
    /// Rooms whose members all get outboxes with this policy.
    pub fn new(slow_client: SlowClient) -> Self {
        Self { rooms: Arc::default(), slow_client }
    }

    /// Adds a member, and notifies the others. `None` if the name is taken in this room.
    pub fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let (sender, outbox) = outbox(OUTBOX_SIZE, self.slow_client);

        let mut rooms = self.lock();
        let room = rooms.entry(name.clone()).or_default();
        let Entry::Vacant(entry) = room.members.entry(username.clone()) else {
            return None; // And so the room is not new: somebody is in it.
        };
        let skipped = room.announcements.len() + 1;
        entry.insert(MemberEntry { outbox: sender, skipped });
        let message = ServerMessage::UserJoined { username: username.clone() };
        self.announce(&name, room, &message);

        Some(Member { room: name, username, rooms: self.clone(), outbox })
    }

    fn leave(&self, name: &RoomName, username: &Username) {
        let mut rooms = self.lock();
        if let Some(room) = rooms.get_mut(name) {
            room.members.remove(username);
            if room.members.is_empty() {
                rooms.remove(name);
            } else {
                let message = ServerMessage::UserLeft { username: username.clone() };
                self.announce(name, room, &message);
            }
        }
    }

    /// Announces it to the room a moment later, in one batch with what comes meanwhile.
    fn announce(&self, name: &RoomName, room: &mut Room, message: &ServerMessage) {
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

    fn send_personal(&self, name: &RoomName, to: &Username, message: &impl Serialize) {
        let batch: Batch = [encode(message)].into();
        let rooms = self.lock();
        let room = rooms.get(name);
        if let Some(member) = room.and_then(|room| room.members.get(to)) {
            member.outbox.send(batch);
        }
    }

    /// Sends `message` to everyone in `room`. All members receive the same order.
    fn broadcast_to_room(&self, name: &RoomName, message: &impl Serialize) {
        let batch: Batch = [encode(message)].into(); // Once, for all of them.
        if let Some(room) = self.lock().get_mut(name) {
            room.flush_announcements();
            for member in room.members.values() {
                member.outbox.send(batch.clone());
            }
        }
    }

    /// All rooms, in the order of their names.
    fn list(&self) -> Vec<RoomSummary> {
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

/// `GET /rooms`: all rooms with a member, in the order of their names, and how many each has.
pub async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

impl Room {
    /// Sends the announcements that wait, to each member those that came after its own.
    fn flush_announcements(&mut self) {
        let batch: Batch = mem::take(&mut self.announcements).into();
        for member in self.members.values_mut() {
            match mem::take(&mut member.skipped) {
                0 => member.outbox.send(batch.clone()),
                skipped => member.outbox.send(batch[skipped..].into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Instant};

    use super::*;

    fn name(id: usize) -> Username {
        Username::try_from(format!("member-{id}")).expect("a good name")
    }

    fn room() -> RoomName {
        RoomName::try_from("rust".to_owned()).expect("a good name")
    }

    fn join(rooms: &RoomManager, id: usize) -> Member {
        rooms.join(room(), name(id)).expect("the name is free")
    }

    /// A member whose outbox takes so many batches.
    fn insert(rooms: &RoomManager, id: usize, size: usize) -> Outbox {
        let (sender, outbox) = outbox(size, SlowClient::Close);
        let mut all = rooms.lock();
        let members = &mut all.entry(room()).or_default().members;
        members.insert(name(id), MemberEntry { outbox: sender, skipped: 0 });
        outbox
    }

    /// What waits in an outbox that is closed.
    async fn rest_of(outbox: &mut Outbox) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(outgoing) = outbox.recv().await {
            let batches = outgoing.batches.iter().flat_map(|batch| batch.iter());
            texts.extend(batches.map(|text| text.to_string()));
        }
        texts
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_stalls_at_once_is_removed_and_each_departure_is_announced_once()
    {
        let rooms = RoomManager::new(SlowClient::Close);
        let mut readers: Vec<_> =
            (0..3).map(|id| insert(&rooms, id, OUTBOX_SIZE)).collect();
        let mut stalled: Vec<_> = (3..10_003).map(|id| insert(&rooms, id, 1)).collect();
        rooms.broadcast_to_room(&room(), &ServerMessage::Pong); // Now 10,000 are full.

        let start = Instant::now();
        rooms.broadcast_to_room(&room(), &ServerMessage::Pong);
        (3..10_003).for_each(|id| rooms.leave(&room(), &name(id))); // Their tasks end.
        rooms.broadcast_to_room(&room(), &ServerMessage::Pong); // After the announcements.
        let duration = start.elapsed();

        let members = rooms.list().iter().map(|room| room.members).sum::<usize>();
        assert_eq!(members, 3, "those who read are still there");
        let limit =
            Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });
        assert!(duration < limit, "10,000 departures took {duration:?}");
        for outbox in &mut stalled {
            let rest = rest_of(outbox).await;
            assert_eq!(rest.len(), 1, "what was queued is still sent, and then it ends");
        }
        rooms.lock().clear(); // This closes the outboxes of the readers.
        for reader in &mut readers {
            let mut left = rest_of(reader).await;
            left.retain(|text| text.contains("user_left"));
            assert_eq!(left.len(), 10_000, "each departure is announced");
            let different: HashSet<_> = left.into_iter().collect();
            assert_eq!(different.len(), 10_000, "and it is announced once");
        }
    }

    /// Under each policy: a crowd that comes or goes is one batch in the outbox of a member.
    #[tokio::test(start_paused = true)]
    async fn the_announcements_of_a_crowd_fill_no_outbox() {
        for policy in [SlowClient::Close, SlowClient::Drop, SlowClient::Notify] {
            let rooms = RoomManager::new(policy);
            let mut ana = join(&rooms, 0);

            let crowd: Vec<_> = (1..1_000).map(|id| join(&rooms, id)).collect();
            drop(crowd);
            sleep(2 * ANNOUNCE_DELAY).await;

            let outgoing = ana.outbox.recv().await.expect("Ana's outbox is open");
            let count: usize = outgoing.batches.iter().map(|batch| batch.len()).sum();
            assert_eq!(count, 2 * 999, "each of them came and went ({policy:?})");
            assert_eq!(outgoing.missed, 0, "and Ana has missed nothing");
        }
    }

    /// Somebody who joins receives nothing about those who came before, nor about itself.
    #[tokio::test(start_paused = true)]
    async fn a_newcomer_receives_only_what_happens_after_its_own_join() {
        for before in [0, 1, 300] {
            let rooms = RoomManager::new(SlowClient::Close);
            let _crowd: Vec<_> = (0..before).map(|id| join(&rooms, id)).collect();

            let mut ana = join(&rooms, 1_000);
            let _ben = join(&rooms, 1_001);
            sleep(2 * ANNOUNCE_DELAY).await;

            rooms.lock().clear();
            let ben = r#"{"type":"user_joined","username":"member-1001"}"#;
            assert_eq!(rest_of(&mut ana.outbox).await, [ben], "after {before} others");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_a_room_when_everybody_has_left() {
        let rooms = RoomManager::new(SlowClient::Close);
        let members: Vec<_> = (0..100).map(|id| join(&rooms, id)).collect();
        assert!(rooms.join(room(), name(0)).is_none(), "that name is taken");
        assert_eq!(rooms.list()[0].members, 100, "who was rejected is no member");

        drop(members);

        assert!(rooms.lock().is_empty(), "nobody is left");
        sleep(2 * ANNOUNCE_DELAY).await;
        assert!(rooms.lock().is_empty(), "and no announcement brings the room back");
    }
}
