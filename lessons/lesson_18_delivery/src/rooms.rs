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
use lesson_08_auth::{
    OUTBOX_SIZE, RoomName, ServerMessage as Announcement, Username, encode,
};
use serde::Serialize;
use tokio::{spawn, sync::mpsc, time::sleep};

use crate::{
    log::{LogEntry, Seq},
    protocol::ServerMessage,
};

/// How long the announcement of who joined and who left may wait, unless a message comes
/// first. A crowd that comes or goes is announced together, and not a thousand times.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

/// What waits in an outbox. All clones share the texts.
#[derive(Clone)]
pub enum Outgoing {
    /// A chat, with its number.
    Chat(Seq, Utf8Bytes),
    /// Who has joined and who has left. This is not in the log.
    Announcements(Arc<[Utf8Bytes]>),
}

/// All rooms. A room appears with its first member, and vanishes with its last. All clones
/// share the same rooms.
#[derive(Clone, Default)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Default)]
struct Rooms {
    by_name: BTreeMap<RoomName, Room>,
    last_connection: u64,
}

#[derive(Default)]
struct Room {
    outboxes: HashMap<Username, Outbox>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<Utf8Bytes>,
}

/// The sending half of one member's queue.
struct Outbox {
    /// Which connection of the member empties it. The member may connect again before its old
    /// connection is known to be dead.
    connection: u64,
    /// `None` once the queue was full.
    queue: Option<mpsc::Sender<Outgoing>>,
    /// How many of the announcements that wait are older than this member, or its own.
    skipped: usize,
}

/// One entry of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// A connection of somebody who is in a room, for as long as this guard lives.
pub struct Member {
    pub room: RoomName,
    pub username: Username,
    connection: u64,
    rooms: RoomManager,
    /// What others have sent to this member. Its task must empty it.
    pub outbox: mpsc::Receiver<Outgoing>,
}

impl Member {
    /// Gets an empty outbox in place of the one that was full. What did not fit is in the log,
    /// announcements apart.
    ///
    /// `false` if another connection of this member has taken the place of this one.
    pub fn reopen(&mut self) -> bool {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        self.outbox = outbox;

        let mut rooms = self.rooms.lock();
        let room = rooms.by_name.get_mut(&self.room);
        match room.and_then(|room| room.outboxes.get_mut(&self.username)) {
            Some(ours) if ours.connection == self.connection => {
                ours.queue = Some(sender);
                true
            }
            _ => false,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.rooms.leave(self);
    }
}

impl RoomManager {
    /// Adds a member, and notifies the others.
    ///
    /// If the name is taken in this room, and the new connection may `replace` the old one, it
    /// does: the old outbox is closed, and the others notice nothing. Else it is `None`.
    pub fn join(
        &self,
        name: RoomName,
        username: Username,
        replace: bool,
    ) -> Option<Member> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut rooms = self.lock();
        rooms.last_connection += 1;
        let connection = rooms.last_connection;
        let room = rooms.by_name.entry(name.clone()).or_default();
        match room.outboxes.entry(username.clone()) {
            Entry::Occupied(mut taken) if replace => {
                taken.get_mut().connection = connection;
                taken.get_mut().queue = Some(sender);
            }
            Entry::Occupied(_) => return None, // And so the room is not new.
            Entry::Vacant(entry) => {
                let skipped = room.announcements.len() + 1;
                entry.insert(Outbox { connection, queue: Some(sender), skipped });
                let joined = Announcement::UserJoined { username: username.clone() };
                self.announce(&name, room, &joined);
            }
        }

        Some(Member { room: name, username, connection, rooms: self.clone(), outbox })
    }

    /// Removes a member, unless another connection has taken its place.
    fn leave(&self, member: &Member) {
        let Member { room: name, username, connection, .. } = member;
        let mut rooms = self.lock();
        let Some(room) = rooms.by_name.get_mut(name) else { return };
        if room.outboxes.get(username).is_none_or(|ours| ours.connection != *connection) {
            return;
        }
        room.outboxes.remove(username);
        if room.outboxes.is_empty() {
            rooms.by_name.remove(name);
        } else {
            let left = Announcement::UserLeft { username: username.clone() };
            self.announce(name, room, &left);
        }
    }

    /// Announces it to the room a moment later, in one batch with what comes meanwhile.
    fn announce(&self, name: &RoomName, room: &mut Room, message: &Announcement) {
        room.announcements.push(encode(message));
        if room.announcements.len() == 1 {
            let (rooms, name) = (self.clone(), name.clone());
            spawn(async move {
                sleep(ANNOUNCE_DELAY).await;
                if let Some(room) = rooms.lock().by_name.get_mut(&name) {
                    room.flush_announcements();
                }
            });
        }
    }

    /// Sends a chat to everyone in its room. The log calls this for one after the other, so
    /// all members receive the same order.
    pub fn deliver(&self, entry: &LogEntry) {
        let text = encode(&ServerMessage::Chat(entry)); // Once, for all of them.
        if let Some(room) = self.lock().by_name.get_mut(&entry.room) {
            room.flush_announcements();
            for outbox in room.outboxes.values_mut() {
                outbox.send(Outgoing::Chat(entry.seq, text.clone()));
            }
        }
    }

    /// All rooms, in the order of their names.
    fn list(&self) -> Vec<RoomSummary> {
        let summary = |(name, room): (&RoomName, &Room)| RoomSummary {
            room: name.clone(),
            members: room.outboxes.len(),
        };
        self.lock().by_name.iter().map(summary).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
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
        let texts: Arc<[_]> = mem::take(&mut self.announcements).into();
        for outbox in self.outboxes.values_mut() {
            match mem::take(&mut outbox.skipped) {
                0 => outbox.send(Outgoing::Announcements(texts.clone())),
                skipped => outbox.send(Outgoing::Announcements(texts[skipped..].into())),
            }
        }
    }
}

impl Outbox {
    /// Queues it. If the queue is full, it is closed, and the member's task goes on from the
    /// log.
    fn send(&mut self, outgoing: Outgoing) {
        let Some(queue) = &self.queue else { return };
        if matches!(&outgoing, Outgoing::Announcements(texts) if texts.is_empty()) {
            return;
        }
        if queue.try_send(outgoing).is_err() {
            self.queue = None;
        }
    }
}
