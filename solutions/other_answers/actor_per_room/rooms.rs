//! Another design: each room is a task of its own.
//!
//! The room is the only one to touch its members, its typists and its history, so there
//! is nothing to lock. Who wants something sends a request, and the room takes them one
//! after the other. It also has the clock for those who type.
//!
//! What it costs: a task for each room, a way there and back for each join, and a list of
//! rooms that is still shared and so still has a lock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::{
    select, spawn,
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use crate::{
    message_history::MessageHistory,
    protocol::{Chat, FromClient, RoomName, ToClient, Username, now},
    rate_limit::RateLimiter,
    resume::Logbook,
    typing_indicator::Typists,
};

/// How many messages may wait for one member. It loses its place with the next one.
pub const OUTBOX_SIZE: usize = 256;

/// How many requests may wait for one room. Whoever has the next one waits.
const REQUESTS: usize = 64;

/// How many empty rooms we keep for their history.
const KEPT_ROOMS: usize = 100;

type Outbox = mpsc::Receiver<Utf8Bytes>;

/// The list of rooms. All clones share it.
#[derive(Clone, Default)]
pub struct RoomManager {
    list: Arc<Mutex<RoomList>>,
}

#[derive(Default)]
struct RoomList {
    all: BTreeMap<RoomName, Door>,
    kept: VecDeque<RoomName>,
    limiter: Option<RateLimiter>,
}

/// The way into a room. When it is taken off the list, and the last member has gone, the
/// room's task ends.
struct Door {
    requests: mpsc::Sender<Request>,
    /// Those who are in, and those who are about to come in.
    members: usize,
}

enum Request {
    Join(Username, oneshot::Sender<Option<(u64, Outbox)>>),
    Act(Username, u64, Result<FromClient, String>),
    Leave(Username, u64),
}

/// One room, in the hands of its task.
pub struct Room {
    name: RoomName,
    list: RoomManager,
    last_id: u64,
    places: HashMap<Username, Place>,
    pub typists: Typists,
    pub history: MessageHistory,
    pub logbook: Logbook,
}

struct Place {
    /// Another member of the same name would have another one.
    id: u64,
    outbox: mpsc::Sender<Utf8Bytes>,
}

/// One line of `GET /rooms`.
#[derive(Serialize)]
pub struct RoomSummary {
    room: RoomName,
    members: usize,
}

/// One person's place in a room.
pub struct Member {
    username: Username,
    id: u64,
    requests: mpsc::Sender<Request>,
    pub outbox: Outbox,
}

impl Member {
    /// Waits until the room has taken the request, not until it is done.
    pub async fn act(&self, heard: Result<FromClient, String>) {
        let request = Request::Act(self.username.clone(), self.id, heard);
        let _ = self.requests.send(request).await; // Or the room has panicked.
    }

    pub async fn leave(self) {
        let request = Request::Leave(self.username, self.id);
        let _ = self.requests.send(request).await; // Or the room has panicked.
    }
}

impl RoomManager {
    pub fn with_rate_limit() -> Self {
        let rooms = Self::default();
        rooms.lock().limiter = Some(RateLimiter::default());
        rooms
    }

    pub fn remembered(&self) -> usize {
        self.lock().limiter.as_ref().map_or(0, RateLimiter::people)
    }

    fn may_say(&self, from: &Username, message: &FromClient) -> Result<(), String> {
        match &mut self.lock().limiter {
            Some(limiter) => limiter.admit(from, message),
            None => Ok(()),
        }
    }

    pub async fn join(&self, name: RoomName, username: Username) -> Option<Member> {
        let requests = {
            let mut list = self.lock();
            let door = list.all.entry(name.clone()).or_insert_with(|| {
                let (sender, requests) = mpsc::channel(REQUESTS);
                spawn(Room::new(name, self.clone()).serve(requests));
                Door { requests: sender, members: 0 }
            });
            door.members += 1;
            door.requests.clone()
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
            .filter(|(_, door)| door.members > 0)
            .map(|(name, door)| RoomSummary { room: name.clone(), members: door.members })
            .collect()
    }

    /// Takes note that somebody has left a room, or did not get in.
    fn left(&self, name: &RoomName, outlives: bool) {
        let mut list = self.lock();
        let Some(door) = list.all.get_mut(name) else { return };
        door.members -= 1;
        if door.members > 0 {
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
            && list.all.get(&oldest).is_some_and(|door| door.members == 0)
        {
            list.all.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, RoomList> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn new(name: RoomName, list: RoomManager) -> Self {
        Self {
            name,
            list,
            last_id: 0,
            places: HashMap::new(),
            typists: Typists::default(),
            history: MessageHistory::default(),
            logbook: Logbook::default(),
        }
    }

    /// The life of a room.
    async fn serve(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let deadline = self.typists.next_deadline();
            let pause = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => pending().await,
                }
            };

            select! {
                request = requests.recv() => match request {
                    Some(request) => self.answer(request),
                    None => break, // Off the list, and everybody is gone.
                },
                () = pause => self.end_pauses(),
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Join(username, reply) => {
                let place = self.join(&username);
                if place.is_none() {
                    self.list.left(&self.name, false); // Somebody is there: it stays.
                }
                // If the client is gone already, the next message finds its outbox closed.
                let _ = reply.send(place);
            }
            Request::Act(username, id, heard) if self.is_here(&username, id) => {
                let done = heard.and_then(|message| self.act(&username, message));
                if let Err(message) = done {
                    self.send(&username, ToClient::Error { message }.encode());
                }
            }
            Request::Leave(username, id) if self.is_here(&username, id) => {
                self.remove(&username);
            }
            Request::Act(..) | Request::Leave(..) => {} // It has lost its place.
        }
    }

    fn join(&mut self, username: &Username) -> Option<(u64, Outbox)> {
        let Entry::Vacant(place) = self.places.entry(username.clone()) else {
            return None;
        };
        let (outbox, receiver) = mpsc::channel(OUTBOX_SIZE);
        self.last_id += 1;
        let id = self.last_id;
        place.insert(Place { id, outbox });

        self.send_history(username);
        self.broadcast(ToClient::UserJoined { username }.encode(), Some(username));
        self.after_join(username);
        Some((id, receiver))
    }

    fn act(&mut self, from: &Username, message: FromClient) -> Result<(), String> {
        self.list.may_say(from, &message)?;
        match message {
            FromClient::Ping => self.send(from, ToClient::Pong.encode()),
            FromClient::Chat { content } => {
                let (room, from) = (self.name.clone(), from.clone());
                let mut chat = Chat { room, from, content, timestamp: now(), seq: None };
                self.stops_typing(&chat.from);
                self.number(&mut chat);
                self.broadcast(ToClient::Chat(&chat).encode(), None);
                self.remember(chat);
            }
            FromClient::Private { to, content } => {
                self.stops_typing(from);
                self.send_private(from, &to, &content)?;
            }
            FromClient::Typing => self.starts_typing(from),
            FromClient::Resume { after } => self.resume(from, after),
        }
        Ok(())
    }

    fn is_here(&self, username: &Username, id: u64) -> bool {
        self.places.get(username).is_some_and(|place| place.id == id)
    }

    pub fn has(&self, username: &Username) -> bool {
        self.places.contains_key(username)
    }

    pub fn members(&self) -> impl Iterator<Item = &Username> {
        self.places.keys()
    }

    pub fn send(&mut self, to: &Username, text: Utf8Bytes) {
        let place = self.places.get(to);
        if place.is_some_and(|place| place.outbox.try_send(text).is_err()) {
            self.remove(to);
        }
    }

    pub fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<&Username>) {
        let mut too_slow = Vec::new();
        for (username, place) in &self.places {
            if Some(username) != exclude && place.outbox.try_send(text.clone()).is_err() {
                too_slow.push(username.clone());
            }
        }
        for username in &too_slow {
            self.remove(username);
        }
    }

    fn remove(&mut self, username: &Username) {
        if self.places.remove(username).is_some() {
            self.stops_typing(username);
            self.broadcast(ToClient::UserLeft { username }.encode(), None);
            self.after_leave(username);
            let outlives = self.places.is_empty() && self.clear_up();
            self.list.left(&self.name, outlives);
        }
    }

    fn clear_up(&mut self) -> bool {
        let history = self.history.outlives_the_room();
        if !history {
            self.history = MessageHistory::default();
        }
        let logbook = self.logbook.outlives_the_room();
        if !logbook {
            self.logbook = Logbook::default();
        }
        history || logbook
    }
}
