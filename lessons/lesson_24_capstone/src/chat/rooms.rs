//! The rooms, who is in them, and how to reach everybody in one.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{spawn, time::sleep};

use super::protocol::ServerMessage;
use crate::{
    config::Config,
    delivery::{LogEntry, Seq},
    limits::{ConnectionPermit, OtherPermit},
    names::{RoomName, Username},
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
    rooms: Arc<Mutex<Rooms>>,
    limits: Limits,
    shutdown: Shutdown,
}

#[derive(Default)]
struct Rooms {
    by_name: BTreeMap<RoomName, Room>,
    last_connection: u64,
}

/// What waits in an outbox. All clones share the text.
#[derive(Clone)]
pub enum Queued {
    /// A chat, with its number.
    Chat(Seq, Utf8Bytes),
    /// Who has joined, or who has left. This is not in the log.
    Announcement(Utf8Bytes),
    /// The same, where joins have numbers: many at once, for whoever has joined before.
    Announcements(Arc<[(Seq, Utf8Bytes)]>),
}

/// How many rooms there may be, and what in each.
#[derive(Clone, Copy)]
pub struct Limits {
    pub rooms: usize,
    pub members_per_room: usize,
    pub outbox_size: usize,
}

impl Limits {
    pub fn new(config: &Config) -> Self {
        Self {
            rooms: config.max_rooms.get(),
            members_per_room: config.max_members_per_room.get(),
            outbox_size: config.outbox_size,
        }
    }
}

#[derive(Default)]
struct Room {
    members: HashMap<Username, MemberEntry>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<Utf8Bytes>,
}

struct MemberEntry {
    outbox: Sender<Queued>,
    /// Which connection of the member empties it. The member may connect again before its old
    /// connection is known to be dead.
    connection: u64,
    permit: OtherPermit,
    /// How many of the announcements that wait are older than this member, or its own.
    skipped: usize,
}

/// One entry of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    pub room: RoomName,
    pub members: usize,
}

/// Somebody who is in a room, for as long as this guard lives.
pub struct Member {
    pub room: RoomName,
    pub username: Username,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: Outbox<Queued>,
    connection: u64,
    rooms: RoomManager,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.rooms.leave(self);
    }
}

impl Member {
    /// Gets an empty outbox in place of the one that was full. What did not fit is in the log,
    /// announcements apart.
    ///
    /// `false` if another connection of this member has taken the place of this one.
    pub fn reopen(&mut self) -> bool {
        let mut rooms = self.rooms.lock();
        match rooms.entry(&self.room, &self.username) {
            Some(entry) if entry.connection == self.connection => {
                (entry.outbox, self.outbox) = outbox(self.rooms.limits.outbox_size);
                true
            }
            _ => false,
        }
    }

    /// Whether another connection of this member has taken the place of this one.
    pub fn is_replaced(&self) -> bool {
        let mut rooms = self.rooms.lock();
        let entry = rooms.entry(&self.room, &self.username);
        entry.is_none_or(|entry| entry.connection != self.connection)
    }
}

impl RoomManager {
    pub fn new(config: &Config, shutdown: Shutdown) -> Self {
        Self { rooms: Arc::default(), limits: Limits::new(config), shutdown }
    }

    /// Adds a member, and notifies the others. The error says why this is not possible.
    ///
    /// If the name is taken in this room, and the new connection may `replace` the old one, it
    /// does: the old outbox is closed, and the others notice nothing.
    pub fn join(
        &self,
        name: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> Result<Member, Disconnect> {
        let join = || self.join_now(name, username, permit, replace);
        self.shutdown.unless_stopping(join).unwrap_or(Err(Disconnect::GOING_AWAY))
    }

    fn join_now(
        &self,
        name: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> Result<Member, Disconnect> {
        let (sender, outbox) = outbox(self.limits.outbox_size);
        let mut rooms = self.lock();
        rooms.last_connection += 1;
        let connection = rooms.last_connection;
        let entry = MemberEntry {
            outbox: sender,
            connection,
            permit: permit.downgrade(),
            skipped: 0,
        };

        let count = rooms.by_name.len();
        match rooms.by_name.get_mut(&name) {
            Some(room) if room.members.contains_key(&username) => {
                if !replace {
                    return Err(Disconnect::NAME_TAKEN);
                }
                room.replace(&username, entry, permit);
            }
            _ if permit.is_surplus() => return Err(Disconnect::TOO_MANY_CONNECTIONS),
            Some(room) if room.members.len() >= self.limits.members_per_room => {
                return Err(Disconnect::ROOM_FULL);
            }
            None if count >= self.limits.rooms => return Err(Disconnect::TOO_MANY_ROOMS),
            _ => {
                let room = rooms.by_name.entry(name.clone()).or_default();
                let skipped = room.announcements.len() + 1;
                room.members.insert(username.clone(), MemberEntry { skipped, ..entry });
                let joined = ServerMessage::UserJoined { username: &username };
                self.announce(&name, room, &joined);
            }
        }
        Ok(Member { room: name, username, outbox, connection, rooms: self.clone() })
    }

    /// Removes a member, unless another connection has taken its place.
    fn leave(&self, member: &Member) {
        let Member { room: name, username, connection, .. } = member;
        let mut rooms = self.lock();
        let Some(room) = rooms.by_name.get_mut(name) else { return };
        if room.members.get(username).is_none_or(|entry| entry.connection != *connection)
        {
            return;
        }
        room.members.remove(username);
        if room.members.is_empty() {
            rooms.by_name.remove(name);
        } else {
            self.announce(name, room, &ServerMessage::UserLeft { username });
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
            if let Some(room) = rooms.lock().by_name.get_mut(&name) {
                room.flush_announcements();
            }
        });
    }

    /// Sends a chat to everyone in its room. The log calls this for one after the other, so
    /// all members receive the same order.
    ///
    /// Not during a shutdown: some of the members may have left already. They will get it from
    /// the log.
    pub fn deliver(&self, entry: &LogEntry) {
        let text = encode(&ServerMessage::Chat(entry)); // Once, for all of them.
        self.shutdown.unless_stopping(|| {
            if let Some(room) = self.lock().by_name.get_mut(&entry.room) {
                room.flush_announcements();
                for member in room.members.values() {
                    // If it is full, the member goes on from the log.
                    member.outbox.send(Queued::Chat(entry.seq, text.clone()));
                }
            }
        });
    }

    /// All rooms, in the order of their names.
    pub fn list(&self) -> Vec<RoomSummary> {
        let summary = |(name, room): (&RoomName, &Room)| RoomSummary {
            room: name.clone(),
            members: room.members.len(),
        };
        self.lock().by_name.iter().map(summary).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        // If a task panics while it holds the lock, the others go on with the rooms.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    fn entry(
        &mut self,
        room: &RoomName,
        username: &Username,
    ) -> Option<&mut MemberEntry> {
        self.by_name.get_mut(room)?.members.get_mut(username)
    }
}

impl Room {
    /// Puts a new connection of a member in the place of its old one, whose outbox closes.
    fn replace(
        &mut self,
        username: &Username,
        entry: MemberEntry,
        permit: &ConnectionPermit,
    ) {
        if let Some(old) = self.members.get_mut(username) {
            permit.replace(&old.permit);
            *old = MemberEntry { skipped: old.skipped, ..entry };
        }
    }

    /// Sends the announcements that wait, to each member those that came after its own.
    fn flush_announcements(&mut self) {
        let batch = mem::take(&mut self.announcements);
        for entry in self.members.values_mut() {
            let own = mem::take(&mut entry.skipped).min(batch.len());
            for text in &batch[own..] {
                if !entry.outbox.send(Queued::Announcement(text.clone())) {
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
    use crate::limits::ConnectionLimits;

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

    fn permit(id: usize) -> ConnectionPermit {
        let limits = ConnectionLimits::new(&Config::default());
        limits.acquire(&name(id)).expect("there is room for one")
    }

    fn join(rooms: &RoomManager, id: usize) -> Member {
        rooms
            .join(room(), name(id), &permit(id), false)
            .unwrap_or_else(|error| panic!("member {id}: {error:?}"))
    }

    fn deliver(rooms: &RoomManager, seq: Seq) {
        let content = "hello".to_owned().try_into().expect("good content");
        let timestamp = "2026-11-21T09:30:00.125Z".into();
        rooms.deliver(&LogEntry {
            room: room(),
            seq,
            from: name(0),
            id: None,
            content,
            timestamp,
        });
    }

    /// A member whose outbox is full with one message.
    fn join_with_a_short_outbox(rooms: &RoomManager, id: usize) -> Member {
        let mut member = join(rooms, id);
        let (sender, outbox) = outbox(1);
        let mut all = rooms.lock();
        let room = all.by_name.get_mut(&room());
        let entry = room.and_then(|room| room.members.get_mut(&name(id)));
        entry.expect("the member has joined").outbox = sender;
        member.outbox = outbox;
        member
    }

    /// What waits for a member that has been reading all the time.
    fn received(member: &mut Member) -> Vec<String> {
        let text = |queued| match queued {
            Queued::Chat(_, text) | Queued::Announcement(text) => text.to_string(),
            Queued::Announcements(_) => unreachable!("here, joins have no numbers"),
        };
        member.outbox.take_all().into_iter().map(text).collect()
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
        deliver(&rooms, 1); // Now the short ones are full.
        for reader in &mut readers {
            received(reader);
        }

        let start = Instant::now();
        deliver(&rooms, 2);
        for member in &mut stalled {
            let (rest, end) = (member.outbox.take_all(), member.outbox.take().await);
            assert_eq!(rest.len(), 1, "what was queued is still sent");
            assert!(end.is_none(), "then the task finds its outbox closed");
        }
        drop(stalled); // Their connections are lost.
        deliver(&rooms, 3); // After the announcements.
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
            let last = received.last().is_some_and(|text| text.contains(r#""seq":3"#));
            assert!(last, "the last comes last: {:?}", received.last());
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
        deliver(&rooms, 1);
        assert_eq!(received(&mut ana).len(), 1, "and Ana is still there");
    }

    #[tokio::test(start_paused = true)]
    async fn not_many_announcements_wait_however_many_come_and_go() {
        let rooms = rooms_for(10_000);
        let mut ana = join(&rooms, 0);

        for id in 1..5_000 {
            drop(join(&rooms, id));
            let waiting =
                rooms.lock().by_name.get(&room()).map(|room| room.announcements.len());
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
            for id in [1, 2] {
                let joined = rooms.join(room.clone(), name(id), &permit(id), false);
                members.extend(joined.ok());
            }
        }
        assert_eq!(members.len(), 100, "all were let in");

        drop(members);

        assert!(rooms.list().is_empty(), "rooms are left: {}", rooms.list().len());
        sleep(2 * ANNOUNCE_DELAY).await;
        assert!(rooms.list().is_empty(), "and no announcement brings one back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_leaves_nothing_behind() {
        let rooms = rooms_for(1);
        let ana = join(&rooms, 0);

        let taken = rooms.join(room(), name(0), &permit(0), false).err();
        let full = rooms.join(room(), name(1), &permit(1), false).err();

        assert_eq!(taken, Some(Disconnect::NAME_TAKEN), "Ana is here already");
        assert_eq!(full, Some(Disconnect::ROOM_FULL), "and nobody else has room");
        assert_eq!(rooms.list()[0].members, 1, "only Ana is a member");
        drop(ana);
        assert!(rooms.list().is_empty(), "and then nobody is");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_replaces_the_old_one_also_in_a_full_room() {
        let rooms = rooms_for(1);
        let limits = ConnectionLimits::new(&Config {
            max_connections_per_user: 1.try_into().expect("at least one"),
            ..Config::default()
        });
        let acquire = || limits.acquire(&name(0)).expect("there is room to be closed");
        let (first, second) = (acquire(), acquire());
        let mut old = rooms.join(room(), name(0), &first, true).expect("an empty room");

        let mut new = rooms.join(room(), name(0), &second, true).expect("it is hers");

        let surplus = [&first, &second].map(ConnectionPermit::is_surplus);
        assert_eq!(surplus, [true, false], "the old one is the one too many now");
        assert!(old.outbox.take().await.is_none(), "so its task ends");
        assert!(old.is_replaced() && !new.is_replaced(), "and learns why");
        assert!(!old.reopen(), "and gets no other outbox");
        drop(old);
        deliver(&rooms, 1);
        assert_eq!(received(&mut new).len(), 1, "the new one is a member, and the only");

        let surplus = acquire();
        let tea = RoomName::try_from("tea".to_owned()).expect("a good name");
        let refused = rooms.join(tea, name(0), &surplus, true).err();
        let reason = "it replaces nothing there";
        assert_eq!(refused, Some(Disconnect::TOO_MANY_CONNECTIONS), "{reason}");
    }

    /// During a shutdown nobody is announced, so whoever has left must not keep the name.
    #[tokio::test]
    async fn after_the_stop_a_name_is_not_taken_but_the_server_goes_away() {
        let shutdown = Shutdown::default();
        let rooms = RoomManager::new(&Config::default(), shutdown.clone());
        let ana = rooms.join(room(), name(0), &permit(0), false);
        assert!(ana.is_ok(), "the room is empty");

        shutdown.stop();
        drop(ana);

        let again = rooms.join(room(), name(0), &permit(0), false).err();
        let reason = "a page would not come back after 4009";
        assert_eq!(again, Some(Disconnect::GOING_AWAY), "{reason}");
    }
}
