//! Another design: each room is a task of its own, an actor.
//!
//! The task is the only one to touch the members, the typists and the history of its room,
//! so there is nothing to lock. Who wants something sends a request, and the task handles
//! them one after the other. It also has the clock for those who type.
//!
//! What it costs: a task for each room, a way there and back for each join, and a list of
//! rooms that is still shared and so still has a lock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    future::pending,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{
    select, spawn,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use crate::{
    features::Features,
    message_history::MessageHistory,
    private_messaging::read_command,
    protocol::{Chat, ClientMessage, RoomName, ServerMessage, Username, now},
    rate_limit::RateLimiter,
    resume::Logbook,
    socket::Batch,
    typing_indicator::Typists,
};

/// How many batches may wait for one member. With the next one it is removed.
pub const OUTBOX_SIZE: usize = 256;

/// How many requests may wait for one room. Whoever has the next one waits.
const REQUESTS: usize = 64;

/// How many empty rooms we keep for their history.
const KEPT_ROOMS: usize = 100;

/// How long the announcement of a departure may wait, unless a message comes first.
const ANNOUNCE_DELAY: Duration = Duration::from_millis(10);

type Outbox = mpsc::Receiver<Batch>;

/// The list of rooms. All clones share it.
#[derive(Clone)]
pub struct RoomManager {
    list: Arc<Mutex<RoomList>>,
}

struct RoomList {
    features: Features,
    all: BTreeMap<RoomName, RoomHandle>,
    kept: VecDeque<RoomName>,
    limiter: Option<RateLimiter>,
}

/// How to reach the task of a room. When this is removed from the list, and the last
/// member has gone, the task ends.
struct RoomHandle {
    requests: mpsc::Sender<Request>,
    /// Those who are in, and those who are about to come in.
    members: usize,
}

enum Request {
    Join(Username, oneshot::Sender<Option<(u64, Outbox)>>),
    Act(Username, u64, Result<ClientMessage, String>),
    Leave(Username, u64),
}

/// The task of one room, and all that belongs to it.
struct RoomTask {
    name: RoomName,
    list: RoomManager,
    room: Room,
    /// How many members the list believes to be in the room.
    counted: usize,
    /// When those who have left are announced, if nothing else is sent.
    announce_at: Option<Instant>,
}

#[derive(Default)]
pub struct Room {
    last_id: u64,
    connections: HashMap<Username, Connection>,
    /// What has been sent and not yet delivered, in this order.
    outgoing: Vec<(Recipients, Utf8Bytes)>,
    /// Who has left, and has not yet been announced.
    left: Vec<Username>,
    features: Features,
    pub typists: Typists,
    pub history: MessageHistory,
    pub logbook: Logbook,
}

struct Connection {
    /// Another member of the same name would have another one.
    id: u64,
    outbox: mpsc::Sender<Batch>,
}

/// Whom a message is for.
#[derive(PartialEq)]
enum Recipients {
    Everyone,
    AllBut(Username),
    Only(Username),
}

impl Recipients {
    fn include(&self, username: &Username) -> bool {
        match self {
            Self::Everyone => true,
            Self::AllBut(other) => username != other,
            Self::Only(other) => username == other,
        }
    }
}

/// One entry of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// Somebody who is in a room.
pub struct Member {
    username: Username,
    id: u64,
    requests: mpsc::Sender<Request>,
    pub outbox: Outbox,
}

impl Member {
    /// Waits until the room has taken the request, not until it is done.
    pub async fn act(&self, received: Result<ClientMessage, String>) {
        let request = Request::Act(self.username.clone(), self.id, received);
        let _ = self.requests.send(request).await; // Or the room has panicked.
    }

    pub async fn leave(self) {
        let request = Request::Leave(self.username, self.id);
        let _ = self.requests.send(request).await; // Or the room has panicked.
    }
}

impl RoomManager {
    pub fn new(features: Features) -> Self {
        let list = RoomList {
            features,
            all: BTreeMap::new(),
            kept: VecDeque::new(),
            limiter: features.contains(6).then(RateLimiter::default),
        };
        Self { list: Arc::new(Mutex::new(list)) }
    }

    pub fn remembered(&self) -> usize {
        self.lock().limiter.as_ref().map_or(0, RateLimiter::people)
    }

    fn may_send(&self, from: &Username, message: &ClientMessage) -> Result<(), String> {
        match &mut self.lock().limiter {
            Some(limiter) => limiter.admit(from, message),
            None => Ok(()),
        }
    }

    pub async fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let requests = {
            let mut list = self.lock();
            let features = list.features;
            let handle = list.all.entry(name.clone()).or_insert_with(|| {
                let (sender, requests) = mpsc::channel(REQUESTS);
                spawn(RoomTask::new(name, self.clone(), features).run(requests));
                RoomHandle { requests: sender, members: 0 }
            });
            handle.members += 1;
            handle.requests.clone()
        };

        let (sender, reply) = oneshot::channel();
        requests.send(Request::Join(username.clone(), sender)).await.ok()?;
        let (id, outbox) = reply.await.ok()??;
        Some(Member { username, id, requests, outbox })
    }

    pub fn list(&self) -> Vec<RoomSummary> {
        self.lock()
            .all
            .iter()
            .filter(|(_, handle)| handle.members > 0)
            .map(|(name, handle)| RoomSummary {
                room: name.clone(),
                members: handle.members,
            })
            .collect()
    }

    /// Takes note that so many have left a room, or did not get in.
    fn left(&self, name: &RoomName, count: usize, outlives: bool) {
        let mut list = self.lock();
        let Some(handle) = list.all.get_mut(name) else { return };
        handle.members -= count;
        if handle.members > 0 {
            return;
        }
        list.kept.retain(|other| other != name);
        if outlives {
            list.kept.push_back(name.clone());
        } else {
            list.all.remove(name);
        }
        if list.kept.len() > KEPT_ROOMS
            && let Some(oldest) = list.kept.pop_front()
            && list.all.get(&oldest).is_some_and(|handle| handle.members == 0)
        {
            list.all.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, RoomList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomTask {
    fn new(name: RoomName, list: RoomManager, features: Features) -> Self {
        let room = Room { features, ..Room::default() };
        Self { name, list, room, counted: 0, announce_at: None }
    }

    /// The life of a room.
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let deadlines = [self.room.typists.next_deadline(), self.announce_at];
            let next = deadlines.into_iter().flatten().min();
            let pause = async {
                match next {
                    Some(deadline) => sleep_until(deadline).await,
                    None => pending().await,
                }
            };

            select! {
                request = requests.recv() => match request {
                    Some(request) => self.handle_request(request),
                    None => break, // Not on the list any more, and everybody is gone.
                },
                () = pause => self.room.end_pauses(),
            }
            self.deliver();
            self.count();
        }
    }

    fn handle_request(&mut self, request: Request) {
        match request {
            Request::Join(username, reply) => {
                self.counted += 1;
                // If the client is gone already, the next message finds its outbox closed.
                let _ = reply.send(self.room.join(&username));
            }
            Request::Act(username, id, received) if self.room.is_here(&username, id) => {
                let done = received.and_then(|message| self.act(&username, message));
                if let Err(message) = done {
                    self.room.send(&username, ServerMessage::Error { message }.encode());
                }
            }
            Request::Leave(username, id) if self.room.is_here(&username, id) => {
                self.room.remove(&username);
            }
            Request::Act(..) | Request::Leave(..) => {} // It has been removed.
        }
    }

    fn act(&mut self, from: &Username, message: ClientMessage) -> Result<(), String> {
        let room = &mut self.room;
        let message = match message {
            ClientMessage::Chat { content } if room.features.contains(1) => {
                read_command(content)?
            }
            other => other,
        };
        self.list.may_send(from, &message)?;
        match message {
            ClientMessage::Ping => room.send(from, ServerMessage::Pong.encode()),
            ClientMessage::Chat { content } => {
                let (name, from) = (self.name.clone(), from.clone());
                room.chat(Chat {
                    room: name,
                    from,
                    content,
                    timestamp: now(),
                    seq: None,
                });
            }
            ClientMessage::Private { to, content } => {
                room.exercise(2, |room| room.stops_typing(from));
                room.exercise(1, |room| room.send_private(from, &to, &content))
                    .unwrap_or(Ok(()))?;
            }
            ClientMessage::Typing => {
                room.exercise(2, |room| room.starts_typing(from));
            }
            ClientMessage::Resume { after } => {
                room.exercise(7, |room| room.resume(from, after));
            }
        }
        Ok(())
    }

    /// Delivers what has been sent. If there are only departures, they wait for others.
    fn deliver(&mut self) {
        let now = Instant::now();
        if !self.room.outgoing.is_empty() || self.announce_at.is_some_and(|at| at <= now)
        {
            self.room.deliver();
            self.announce_at = None;
        } else if !self.room.left.is_empty() {
            self.announce_at.get_or_insert(now + ANNOUNCE_DELAY);
        }
    }

    /// Tells the list who has gone since the last time, or did not get in.
    fn count(&mut self) {
        let members = self.room.connections.len();
        let gone = mem::replace(&mut self.counted, members) - members;
        if gone > 0 {
            let outlives = members == 0 && self.room.clear_up();
            self.list.left(&self.name, gone, outlives);
        }
    }
}

impl Room {
    pub fn exercise<R>(
        &mut self,
        number: u8,
        act: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        self.features.contains(number).then(|| act(self))
    }

    fn join(&mut self, username: &Username) -> Option<(u64, Outbox)> {
        self.deliver(); // Who has left before concerns only those who were there.
        let outbox = self.add(username)?;
        self.exercise(4, |room| room.send_history(username));
        self.broadcast(ServerMessage::UserJoined { username }.encode(), Some(username));
        self.exercise(3, |room| room.after_join(username));
        self.exercise(2, |room| room.send_typists(username));
        Some((self.last_id, outbox))
    }

    fn is_here(&self, username: &Username, id: u64) -> bool {
        self.connections.get(username).is_some_and(|connection| connection.id == id)
    }

    pub fn has(&self, username: &Username) -> bool {
        self.connections.contains_key(username)
    }

    pub fn members(&self) -> impl Iterator<Item = &Username> {
        self.connections.keys()
    }

    pub fn send(&mut self, to: &Username, text: Utf8Bytes) {
        self.outgoing.push((Recipients::Only(to.clone()), text));
    }

    pub fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<&Username>) {
        let recipients = match exclude {
            Some(username) if self.has(username) => Recipients::AllBut(username.clone()),
            _ => Recipients::Everyone,
        };
        self.outgoing.push((recipients, text));
    }

    fn chat(&mut self, mut chat: Chat) {
        self.exercise(2, |room| room.stops_typing(&chat.from));
        self.exercise(7, |room| room.number(&mut chat));
        self.broadcast(ServerMessage::Chat(&chat).encode(), None);
        self.exercise(4, |room| room.remember(chat));
    }

    pub fn add(&mut self, username: &Username) -> Option<Outbox> {
        let Entry::Vacant(entry) = self.connections.entry(username.clone()) else {
            return None;
        };
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        self.last_id += 1;
        entry.insert(Connection { id: self.last_id, outbox: sender });
        Some(outbox)
    }

    pub fn remove(&mut self, username: &Username) {
        if let Some((username, _)) = self.connections.remove_entry(username) {
            self.left.push(username);
        }
    }

    /// Puts all that has been sent in the outboxes, and announces who has left, as in the
    /// given `rooms.rs`.
    pub fn deliver(&mut self) {
        loop {
            self.announce_left();
            if self.outgoing.is_empty() {
                return;
            }
            let outgoing = mem::take(&mut self.outgoing);
            for neighbours in outgoing.chunk_by(|(one, _), (next, _)| one == next) {
                let recipients = &neighbours[0].0;
                let batch = neighbours.iter().map(|(_, text)| text.clone()).collect();
                self.enqueue(batch, recipients);
            }
        }
    }

    fn announce_left(&mut self) {
        let left = mem::take(&mut self.left);
        for username in &left {
            self.exercise(2, |room| room.stops_typing(username));
            self.broadcast(ServerMessage::UserLeft { username }.encode(), None);
        }
        if let Some(last) = left.last() {
            self.exercise(3, |room| room.after_leave(last));
        }
    }

    fn enqueue(&mut self, batch: Batch, recipients: &Recipients) {
        let is_full =
            |connection: &Connection| connection.outbox.try_send(batch.clone()).is_err();

        if let Recipients::Only(to) = recipients {
            if self.connections.get(to).is_some_and(is_full) {
                self.remove(to);
            }
            return;
        }
        let full = self.connections.extract_if(|username, connection| {
            recipients.include(username) && is_full(connection)
        });
        self.left.extend(full.map(|(username, _)| username));
    }

    fn clear_up(&mut self) -> bool {
        let history = self.exercise(4, |room| room.history.outlives_the_room());
        if history != Some(true) {
            self.history = MessageHistory::default();
        }
        let logbook = self.exercise(7, |room| room.logbook.outlives_the_room());
        if logbook != Some(true) {
            self.logbook = Logbook::default();
        }
        history == Some(true) || logbook == Some(true)
    }
}
