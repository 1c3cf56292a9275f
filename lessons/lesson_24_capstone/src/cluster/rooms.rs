//! The rooms: who is in them, on whichever node, and how to reach those who are here.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;

use super::{lease::LEASE_LOST, presence::Presence};
use crate::{
    chat::{Limits, Queued, RoomSummary, ServerMessage},
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

/// All rooms, as they were at one position of the stream. A room appears with its first
/// member, and vanishes with its last. All clones share the same rooms.
#[derive(Clone)]
pub struct RoomManager {
    rooms: Arc<Mutex<Rooms>>,
    limits: Limits,
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
    shutdown: Shutdown,
}

#[derive(Default)]
struct Room {
    /// Who is in the room, on all nodes.
    holders: HashMap<Username, Holder>,
    /// Those who are here.
    connections: HashMap<u64, Connection>,
    /// Who has joined and who has left, as messages that wait to be sent.
    announcements: Vec<(Seq, Utf8Bytes)>,
}

/// Who has a name: which node, and the number of its claim.
#[derive(Clone)]
struct Holder {
    node: String,
    claim: Seq,
}

/// A connection of somebody who is here.
struct Connection {
    username: Username,
    /// `None` while the claim is on its way.
    claim: Option<Seq>,
    outbox: Sender<Queued>,
    permit: OtherPermit,
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
    pub outbox: Outbox<Queued>,
}

impl Member {
    /// Gets an empty outbox in place of the one that was full. What did not fit is in the log,
    /// announcements apart.
    ///
    /// `false` if another connection of this member has taken the place of this one.
    pub fn reopen(&mut self) -> bool {
        let mut rooms = self.rooms.lock();
        let Some(ours) = rooms.connection(&self.room, self.connection) else {
            return false;
        };
        (ours.outbox, self.outbox) = outbox(self.rooms.limits.outbox_size);
        true
    }

    /// Whether another connection of this member has taken the place of this one, or this node
    /// is dead.
    pub fn is_closed(&self) -> bool {
        self.rooms.lock().connection(&self.room, self.connection).is_none()
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
            true => Disconnect::REPLACED,
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
        let ours = rooms.connection(&self.room, self.connection);
        ours.map(|ours| ours.claim = Some(claim)).is_some()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        if let Some(room) = rooms.by_name.get_mut(&self.room) {
            room.connections.remove(&self.connection);
        }
        rooms.remove_if_empty(&self.room);
    }
}

impl RoomManager {
    pub fn new(config: &Config, shutdown: Shutdown) -> Self {
        let rooms = Rooms { shutdown, ..Rooms::default() };
        Self { rooms: Arc::new(Mutex::new(rooms)), limits: Limits::new(config) }
    }

    /// Adds an outbox for somebody whose claim is on its way, within the limits. With it comes
    /// the permit of the connection here that this one may `replace`.
    ///
    /// Why before the claim? What comes right behind it may be applied before the claim is
    /// acknowledged, and would be missing.
    pub fn open(
        &self,
        name: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> Result<(Member, Option<OtherPermit>), Disconnect> {
        let (sender, outbox) = outbox(self.limits.outbox_size);
        let mut rooms = self.lock();
        rooms.last_connection += 1;
        let connection = rooms.last_connection;

        let count = rooms.by_name.len();
        let room = rooms.by_name.get(&name);
        let old = room.filter(|_| replace).and_then(|room| room.permit_of(&username));
        match room {
            _ if permit.is_surplus() && old.is_none() => {
                return Err(Disconnect::TOO_MANY_CONNECTIONS);
            }
            Some(room) if room.holders.contains_key(&username) => {}
            Some(room) if room.members() >= self.limits.members_per_room => {
                return Err(Disconnect::ROOM_FULL);
            }
            None if count >= self.limits.rooms => return Err(Disconnect::TOO_MANY_ROOMS),
            _ => {}
        }
        let ours = Connection {
            username: username.clone(),
            claim: None,
            outbox: sender,
            permit: permit.downgrade(),
        };
        rooms
            .by_name
            .entry(name.clone())
            .or_default()
            .connections
            .insert(connection, ours);
        let member = Member {
            room: name,
            username,
            claim: Seq::MAX,
            connection,
            rooms: self.clone(),
            outbox,
        };
        Ok((member, old))
    }

    /// Applies what the stream has, in the order of the numbers. Nobody sees a part of it.
    pub fn apply<T>(&self, change: impl FnOnce(&mut Rooms) -> T) -> T {
        let mut rooms = self.lock();
        let result = change(&mut rooms);
        // Not during a shutdown: everybody here leaves then.
        let is_stopping = rooms.shutdown.is_stopping();
        for name in mem::take(&mut rooms.to_flush) {
            if let Some(room) = rooms.by_name.get_mut(&name) {
                if is_stopping {
                    room.announcements.clear();
                }
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
            let here: HashSet<_> =
                room.connections.values().map(|here| &here.username).collect();
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
    ///
    /// Not during a shutdown: some of the members may have left already. They will get it from
    /// the log.
    pub fn deliver(
        &mut self,
        room: RoomName,
        seq: Seq,
        read: impl FnOnce(RoomName) -> Option<LogEntry>,
    ) {
        let here =
            self.by_name.get_mut(&room).filter(|room| !room.connections.is_empty());
        let Some(here) = here.filter(|_| !self.shutdown.is_stopping()) else { return };
        let Some(entry) = read(room) else { return };
        let text = encode(&ServerMessage::Chat(&entry)); // Once, for all of them.
        here.flush_announcements();
        for member in here.connections.values() {
            // If it is full, the member goes on from the log.
            member.outbox.send(Queued::Chat(seq, text.clone()));
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
        let joined = || ServerMessage::UserJoined { username: &username };
        let left = || ServerMessage::UserLeft { username: &username };
        // Of several connections, that of the last claim stays.
        room.connections.retain(|_, here| {
            here.username != username || here.claim.is_none_or(|claim| claim >= seq)
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
        for here in self.by_name.values_mut().flat_map(|r| r.connections.values_mut()) {
            here.outbox = outbox(0).0; // The old one closes.
        }
    }

    fn connection(&mut self, room: &RoomName, id: u64) -> Option<&mut Connection> {
        self.by_name.get_mut(room)?.connections.get_mut(&id)
    }

    fn remove_if_empty(&mut self, name: &RoomName) {
        let room = self.by_name.get(name);
        if room.is_some_and(|room| room.holders.is_empty() && room.connections.is_empty())
        {
            self.by_name.remove(name);
        }
    }
}

impl Room {
    /// How many members there are, on all nodes, with those whose claims are on their way from
    /// here.
    fn members(&self) -> usize {
        let is_new = |here: &&Connection| !self.holders.contains_key(&here.username);
        let new = self.connections.values().filter(is_new);
        self.holders.len() + new.map(|here| &here.username).collect::<HashSet<_>>().len()
    }

    /// The permit of the connection that somebody has here. `None` while a claim of theirs is
    /// on its way: two connections would take over the same permit.
    fn permit_of(&self, username: &Username) -> Option<OtherPermit> {
        let theirs = self.connections.values().filter(|here| here.username == *username);
        let theirs: Vec<_> = theirs.collect();
        let is_settled = theirs.iter().all(|here| here.claim.is_some());
        let last =
            theirs.into_iter().filter(|_| is_settled).max_by_key(|here| here.claim);
        last.map(|here| here.permit.clone())
    }

    fn announce(&mut self, seq: Seq, message: &ServerMessage) {
        if !self.connections.is_empty() {
            self.announcements.push((seq, encode(message)));
        }
    }

    /// Sends the announcements that wait. Each member passes over those before its claim.
    fn flush_announcements(&mut self) {
        let texts: Arc<[_]> = mem::take(&mut self.announcements).into();
        if !texts.is_empty() {
            for member in self.connections.values() {
                member.outbox.send(Queued::Announcements(texts.clone()));
            }
        }
    }
}
