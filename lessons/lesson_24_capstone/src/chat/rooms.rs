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

/// How many announcements may wait in a room. When there are so many, they are sent at once.
const MAX_ANNOUNCEMENTS: usize = 256;

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
            entry.outbox.send(encode(message)); // If it is full, the policy decides.
        }
    }

    /// Sends `message` to everyone in the room. All members receive the same order.
    ///
    /// Not during a shutdown: some of the members may have left already.
    pub fn broadcast(&self, message: &ServerMessage) {
        let text = encode(message); // Once, for all of them.
        self.rooms.shutdown.unless_stopping(|| {
            if let Some(room) = self.rooms.lock().get_mut(&self.room) {
                room.flush_announcements();
                for entry in room.members.values() {
                    entry.outbox.send(text.clone());
                }
            }
        });
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
        let join = || self.join_now(name, username);
        self.shutdown.unless_stopping(join).unwrap_or(Err(Disconnect::GOING_AWAY))
    }

    fn join_now(&self, name: RoomName, username: Username) -> Result<Member, Disconnect> {
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
        match room.announcements.len() {
            1 => self.flush_later(name.clone()),
            MAX_ANNOUNCEMENTS => room.flush_announcements(),
            _ => {} // The first of them has started the clock.
        }
    }

    fn flush_later(&self, name: RoomName) {
        let rooms = self.clone();
        spawn(async move {
            sleep(ANNOUNCE_DELAY).await;
            if let Some(room) = rooms.lock().get_mut(&name) {
                room.flush_announcements();
            }
        });
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
            let own = mem::take(&mut entry.skipped).min(batch.len());
            for text in &batch[own..] {
                if !entry.outbox.send(text.clone()) {
                    break; // It is closed now, so it takes none of the others.
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Instant};

    use super::*;
    use crate::session::outbox::Outgoing;

    fn name(id: usize) -> Username {
        Username::try_from(format!("member-{id}")).expect("a good name")
    }

    fn room() -> RoomName {
        RoomName::try_from("rust".to_owned()).expect("a good name")
    }

    /// Rooms for so many members, with the outbox that the configuration demands for them.
    fn rooms_for(members: usize) -> RoomManager {
        let max_members_per_room = members.try_into().expect("at least one");
        let message_burst = 2.try_into().expect("at least one");
        let outbox_size = 2 * members;
        let config = Config {
            max_members_per_room,
            message_burst,
            outbox_size,
            ..Config::default()
        };
        RoomManager::new(&config, Shutdown::default())
    }

    fn join(rooms: &RoomManager, id: usize) -> Member {
        rooms
            .join(room(), name(id))
            .unwrap_or_else(|error| panic!("member {id}: {error:?}"))
    }

    /// A member whose outbox is full with one message.
    fn join_with_a_short_outbox(rooms: &RoomManager, id: usize) -> Member {
        let mut member = join(rooms, id);
        let (sender, outbox) = outbox(1, SlowClient::Close);
        let mut all = rooms.lock();
        let entry = all.get_mut(&room()).and_then(|room| room.members.get_mut(&name(id)));
        entry.expect("the member has joined").outbox = sender;
        member.outbox = outbox;
        member
    }

    /// What waits for a member that has been reading all the time.
    fn received(member: &mut Member) -> Vec<String> {
        let batch = member.outbox.drain();
        batch.messages.iter().map(|text| text.to_string()).collect()
    }

    fn departures(received: &[String]) -> Vec<&str> {
        let texts = received.iter().map(String::as_str);
        texts.filter(|text| text.contains("user_left")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_stalls_at_once_is_removed_and_each_departure_is_announced_once()
    {
        let rooms = rooms_for(10_003);
        let mut readers: Vec<_> = (0..3).map(|id| join(&rooms, id)).collect();
        let mut stalled: Vec<_> =
            (3..10_003).map(|id| join_with_a_short_outbox(&rooms, id)).collect();
        readers[0].broadcast(&ServerMessage::Pong); // Now the short ones are full.
        for reader in &mut readers {
            received(reader);
        }

        let start = Instant::now();
        readers[0].broadcast(&ServerMessage::Pong);
        for member in &mut stalled {
            let (rest, end) = (member.outbox.drain(), member.outbox.recv().await);
            assert_eq!(rest.messages.len(), 1, "what was queued is still sent");
            assert!(end.is_none(), "then the task finds its outbox closed, and ends");
        }
        drop(stalled);
        readers[0].broadcast(&ServerMessage::Pong); // After the announcements.
        let duration = start.elapsed();

        let members = rooms.list().iter().map(|room| room.members).sum::<usize>();
        assert_eq!(members, 3, "those who read are still there");
        let limit =
            Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 100 });
        assert!(duration < limit, "10,000 departures took {duration:?}");
        for reader in &mut readers {
            let received = received(reader);
            let left = departures(&received);
            assert_eq!(left.len(), 10_000, "each departure is announced");
            let different: HashSet<_> = left.into_iter().collect();
            assert_eq!(different.len(), 10_000, "and it is announced once");
            let (sent, pong) = (received.last(), r#"{"type":"pong"}"#);
            assert_eq!(sent.map(String::as_str), Some(pong), "the last comes last");
        }
    }

    /// A full room in which all but one come and go at once, before that one has had time to
    /// read anything.
    #[tokio::test(start_paused = true)]
    async fn the_announcements_of_a_crowd_close_no_healthy_client() {
        let rooms = rooms_for(1_000);
        let mut ana = join(&rooms, 0);

        let crowd: Vec<_> = (1..1_000).map(|id| join(&rooms, id)).collect();
        drop(crowd);
        sleep(2 * ANNOUNCE_DELAY).await;

        let heard = received(&mut ana);
        assert_eq!(heard.len(), 2 * 999, "each of them came and went");
        assert_eq!(departures(&heard).len(), 999, "in this order");
        ana.broadcast(&ServerMessage::Pong);
        assert_eq!(received(&mut ana).len(), 1, "and Ana is still there");
    }

    #[tokio::test(start_paused = true)]
    async fn not_many_announcements_wait_however_many_come_and_go() {
        let rooms = rooms_for(10_000);
        let mut ana = join(&rooms, 0);

        for id in 1..5_000 {
            drop(join(&rooms, id));
            let waiting = rooms.lock().get(&room()).map(|room| room.announcements.len());
            assert!(waiting <= Some(MAX_ANNOUNCEMENTS), "{waiting:?} wait after {id}");
        }

        sleep(2 * ANNOUNCE_DELAY).await;
        assert_eq!(received(&mut ana).len(), 2 * 4_999, "and none of them is lost");
    }

    /// Somebody who joins receives nothing about those who came before, nor about itself.
    #[tokio::test(start_paused = true)]
    async fn a_newcomer_receives_only_what_happens_after_its_own_join() {
        for before in
            [0, 1, MAX_ANNOUNCEMENTS - 3, MAX_ANNOUNCEMENTS - 2, MAX_ANNOUNCEMENTS]
        {
            let rooms = rooms_for(2 * MAX_ANNOUNCEMENTS);
            let _crowd: Vec<_> = (0..before).map(|id| join(&rooms, id)).collect();

            let mut ana = join(&rooms, 1_000);
            let _ben = join(&rooms, 1_001);
            sleep(2 * ANNOUNCE_DELAY).await;

            let ben = r#"{"type":"user_joined","username":"member-1001"}"#;
            assert_eq!(received(&mut ana), [ben], "after {before} others");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_a_room_when_everybody_has_left() {
        let rooms = rooms_for(10);
        let mut members = Vec::new();
        for number in 0..50 {
            let room = RoomName::try_from(format!("room-{number}")).expect("a good name");
            members.extend(rooms.join(room.clone(), name(1)).ok());
            members.extend(rooms.join(room, name(2)).ok());
        }
        assert_eq!(members.len(), 100, "all were let in");

        drop(members);

        assert!(rooms.lock().is_empty(), "rooms are left: {}", rooms.lock().len());
        sleep(2 * ANNOUNCE_DELAY).await;
        assert!(rooms.lock().is_empty(), "and no announcement brings one back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_leaves_nothing_behind() {
        let rooms = rooms_for(1);
        let ana = join(&rooms, 0);

        let taken = rooms.join(room(), name(0)).err();
        let full = rooms.join(room(), name(1)).err();

        assert_eq!(taken, Some(Disconnect::NAME_TAKEN), "Ana is here already");
        assert_eq!(full, Some(Disconnect::ROOM_FULL), "and nobody else has room");
        assert_eq!(rooms.list()[0].members, 1, "only Ana is a member");
        drop(ana);
        assert!(rooms.lock().is_empty(), "and then nobody is");
    }

    /// During a shutdown nobody is announced, so whoever has left must not keep the name.
    #[tokio::test]
    async fn after_the_stop_a_name_is_not_taken_but_the_server_goes_away() {
        let shutdown = Shutdown::default();
        let rooms = RoomManager::new(&Config::default(), shutdown.clone());
        let ana = rooms.join(room(), name(0));
        assert!(ana.is_ok(), "the room is empty");

        shutdown.stop();
        drop(ana);

        let again = rooms.join(room(), name(0)).err();
        let reason = "a page would not come back after 4009";
        assert_eq!(again, Some(Disconnect::GOING_AWAY), "{reason}");
    }
}
