//! The rooms: who is in them, on whichever node, and how to reach those who are here.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use lesson_08_auth::{
    Disconnect, OUTBOX_SIZE, RoomName, ServerMessage as Announcement, Username, encode,
};
use lesson_18_delivery::{LogEntry, REPLACED, Seq, ServerMessage};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{lease::LEASE_LOST, presence::Presence};

/// What waits in an outbox. All clones share the texts.
#[derive(Clone)]
pub enum Outgoing {
    /// A chat, with its number.
    Chat(Seq, Utf8Bytes),
    /// Who has joined and who has left, each with its number.
    Announcements(Arc<[(Seq, Utf8Bytes)]>),
}

/// All rooms, as they were at one position of the stream. A room appears with its first
/// member, and vanishes with its last. All clones share the same rooms.
#[derive(Clone, Default)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
}

/// What all clones of a `RoomManager` share, for whoever has the lock.
#[derive(Default)]
pub struct Rooms {
    by_name: BTreeMap<RoomName, Room>,
    /// The number of the last message of the stream that was applied.
    position: Seq,
    last_connection: u64,
    /// The rooms with announcements that wait.
    to_flush: HashSet<RoomName>,
}

#[derive(Default)]
struct Room {
    /// Who is in the room, on all nodes.
    holders: HashMap<Username, Holder>,
    /// The queues of those who are here, by their connections.
    outboxes: HashMap<u64, Outbox>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<(Seq, Utf8Bytes)>,
}

/// Who has a name: which node, and the number of its claim.
#[derive(Clone)]
struct Holder {
    node: String,
    claim: Seq,
}

/// The sending half of one member's queue.
struct Outbox {
    username: Username,
    /// `None` while the claim is on its way.
    claim: Option<Seq>,
    /// `None` once the queue was full.
    queue: Option<mpsc::Sender<Outgoing>>,
}

/// One entry of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// A name in a room, and the claim that has it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    pub room: RoomName,
    pub username: Username,
    pub seq: Seq,
}

/// A connection of somebody who is in a room, for as long as this guard lives.
pub struct Member {
    pub room: RoomName,
    pub username: Username,
    /// The number of the claim. What was announced before it is not for this member.
    pub claim: Seq,
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
        let ours = rooms.outbox(&self.room, self.connection);
        ours.map(|ours| ours.queue = Some(sender)).is_some()
    }

    /// How this connection ends when its place is no longer its own: somebody has connected
    /// again, or nobody has the name.
    ///
    /// Who frees a name that is in use? Nodes that believe that this one is dead. Then the
    /// client has to come back.
    pub fn close_reason(&self) -> Disconnect {
        let rooms = self.rooms.lock();
        let room = rooms.by_name.get(&self.room);
        match room.is_some_and(|room| room.holders.contains_key(&self.username)) {
            true => REPLACED,
            false => LEASE_LOST,
        }
    }

    /// Says which number the claim of this member has got.
    ///
    /// `false` if a later claim has the name, or the name is free again.
    pub fn confirm(&mut self, claim: Seq) -> bool {
        self.claim = claim;
        let mut rooms = self.rooms.lock();
        let is_applied = rooms.position >= claim;
        let holder =
            rooms.by_name.get(&self.room).and_then(|r| r.holders.get(&self.username));
        if is_applied && holder.is_none_or(|holder| holder.claim != claim) {
            return false;
        }
        let ours = rooms.outbox(&self.room, self.connection);
        ours.map(|ours| ours.claim = Some(claim)).is_some()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        if let Some(room) = rooms.by_name.get_mut(&self.room) {
            room.outboxes.remove(&self.connection);
        }
        rooms.remove_if_empty(&self.room);
    }
}

impl RoomManager {
    /// Adds an outbox for somebody whose claim is on its way.
    ///
    /// Why before the claim? What comes right behind it may be applied before the claim is
    /// acknowledged, and would be missing.
    pub fn open(&self, room: RoomName, username: Username) -> Member {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        let mut rooms = self.lock();
        rooms.last_connection += 1;
        let connection = rooms.last_connection;
        let ours =
            Outbox { username: username.clone(), claim: None, queue: Some(sender) };
        rooms.by_name.entry(room.clone()).or_default().outboxes.insert(connection, ours);
        Member {
            room,
            username,
            claim: Seq::MAX,
            connection,
            rooms: self.clone(),
            outbox,
        }
    }

    /// Applies what the stream has, in the order of the numbers. Nobody sees a part of it.
    pub fn apply<T>(&self, change: impl FnOnce(&mut Rooms) -> T) -> T {
        let mut rooms = self.lock();
        let result = change(&mut rooms);
        for name in mem::take(&mut rooms.to_flush) {
            if let Some(room) = rooms.by_name.get_mut(&name) {
                room.flush_announcements();
            }
        }
        result
    }

    /// The number of the last message that was applied.
    pub fn position(&self) -> Seq {
        self.lock().position
    }

    /// The nodes that have names.
    pub fn nodes(&self) -> HashSet<String> {
        let rooms = self.lock();
        let holders = rooms.by_name.values().flat_map(|room| room.holders.values());
        holders.map(|holder| holder.node.clone()).collect()
    }

    /// The names that are `node`'s. If `is_ours`, those without a connection here.
    pub fn claims_of(&self, node: &str, is_ours: bool) -> HashSet<Claim> {
        let rooms = self.lock();
        let mut claims = HashSet::new();
        for (name, room) in &rooms.by_name {
            let here: HashSet<_> = room.outboxes.values().map(|o| &o.username).collect();
            for (username, holder) in &room.holders {
                if holder.node == node && !(is_ours && here.contains(username)) {
                    let (room, username) = (name.clone(), username.clone());
                    claims.insert(Claim { room, username, seq: holder.claim });
                }
            }
        }
        claims
    }

    /// Closes all outboxes, and lets nobody open one again: this node is dead.
    pub fn close(&self) {
        self.lock().by_name.clear();
    }

    /// All rooms with a member, in the order of their names.
    pub fn list(&self) -> Vec<RoomSummary> {
        let rooms = self.lock();
        let summary = |(name, room): (&RoomName, &Room)| RoomSummary {
            room: name.clone(),
            members: room.holders.len(),
        };
        let all = rooms.by_name.iter().map(summary);
        all.filter(|summary| summary.members > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        // If a task panics while it holds the lock, the others go on with the rooms.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    pub fn position(&self) -> Seq {
        self.position
    }

    /// Says up to which number everything is applied.
    pub fn advance(&mut self, position: Seq) {
        self.position = position;
    }

    /// Sends a chat to everyone in its room who is here. It is only read if there is somebody.
    pub fn deliver(
        &mut self,
        room: RoomName,
        seq: Seq,
        read: impl FnOnce(RoomName) -> Option<LogEntry>,
    ) {
        let Some(here) =
            self.by_name.get_mut(&room).filter(|room| !room.outboxes.is_empty())
        else {
            return;
        };
        let Some(entry) = read(room) else { return };
        let text = encode(&ServerMessage::Chat(&entry)); // Once, for all of them.
        here.flush_announcements();
        for outbox in here.outboxes.values_mut() {
            outbox.send(Outgoing::Chat(seq, text.clone()));
        }
    }

    /// Applies what the stream says about a name, and announces it.
    pub fn set(
        &mut self,
        name: RoomName,
        username: Username,
        seq: Seq,
        presence: Presence,
    ) {
        let room = self.by_name.entry(name.clone()).or_default();
        let joined = || Announcement::UserJoined { username: username.clone() };
        let left = || Announcement::UserLeft { username: username.clone() };
        // Of several connections, that of the last claim stays.
        room.outboxes.retain(|_, outbox| {
            outbox.username != username || outbox.claim.is_none_or(|claim| claim >= seq)
        });
        match presence {
            Presence::Joined { node, announce } => {
                let before =
                    room.holders.insert(username.clone(), Holder { node, claim: seq });
                if announce && before.is_some() {
                    room.announce(seq, &left()); // What lay between is no longer in the stream.
                }
                // The join that this claim has replaced may be gone from the stream, too.
                if announce || before.is_none() {
                    room.announce(seq, &joined());
                }
            }
            Presence::Left => {
                if room.holders.remove(&username).is_some() {
                    room.announce(seq, &left());
                }
            }
        }
        self.to_flush.insert(name.clone());
        self.remove_if_empty(&name);
    }

    /// Closes all outboxes. The members go on from the log.
    pub fn reopen_all(&mut self) {
        for outbox in
            self.by_name.values_mut().flat_map(|room| room.outboxes.values_mut())
        {
            outbox.queue = None;
        }
    }

    fn outbox(&mut self, room: &RoomName, connection: u64) -> Option<&mut Outbox> {
        self.by_name.get_mut(room)?.outboxes.get_mut(&connection)
    }

    fn remove_if_empty(&mut self, name: &RoomName) {
        let room = self.by_name.get(name);
        if room.is_some_and(|room| room.holders.is_empty() && room.outboxes.is_empty()) {
            self.by_name.remove(name);
        }
    }
}

impl Room {
    fn announce(&mut self, seq: Seq, message: &Announcement) {
        if !self.outboxes.is_empty() {
            self.announcements.push((seq, encode(message)));
        }
    }

    /// Sends the announcements that wait. Each member passes over those before its claim.
    fn flush_announcements(&mut self) {
        let texts: Arc<[_]> = mem::take(&mut self.announcements).into();
        if !texts.is_empty() {
            for outbox in self.outboxes.values_mut() {
                outbox.send(Outgoing::Announcements(texts.clone()));
            }
        }
    }
}

impl Outbox {
    /// Queues it. If the queue is full, it is closed, and the member's task goes on from the
    /// log.
    fn send(&mut self, outgoing: Outgoing) {
        if let Some(queue) = &self.queue
            && queue.try_send(outgoing).is_err()
        {
            self.queue = None;
        }
    }
}
