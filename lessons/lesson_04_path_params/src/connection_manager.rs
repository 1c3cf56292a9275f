//! Everyone who is connected, and how to reach them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;

/// How many messages may wait for one client. It loses its place with the next one.
///
/// A burst of honest messages must fit. Somebody who floods on purpose can still
/// fill the outboxes of others.
pub const OUTBOX_SIZE: usize = 256;

pub type ClientId = u32;

/// Everyone who is connected right now.
///
/// This is only a handle. Clone it freely: all clones share one roster.
#[derive(Clone, Default)]
pub struct ConnectionManager {
    roster: Arc<Mutex<Roster>>,
}

#[derive(Default)]
struct Roster {
    outboxes: HashMap<ClientId, mpsc::Sender<Utf8Bytes>>,
}

/// One client's place in the list, which it gives up when this is dropped.
pub struct Connection {
    pub id: ClientId,
    pub manager: ConnectionManager,
    /// What others have sent to this client. Its task must empty it.
    pub outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.outbox.close();
        self.manager.disconnect(self.id);
    }
}

impl ConnectionManager {
    /// Adds a client, and tells the others. `None` if the id is in use.
    pub fn connect(&self, id: ClientId) -> Option<Connection> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut roster = self.lock();
        let Entry::Vacant(place) = roster.outboxes.entry(id) else {
            return None;
        };
        place.insert(sender);
        roster.broadcast(format!("Client {id} joined.").into(), Some(id));

        Some(Connection { id, manager: self.clone(), outbox })
    }

    fn disconnect(&self, id: ClientId) {
        let mut roster = self.lock();
        // Why look whether it is closed? A client that lost its place may have left
        // it to another one with the same id, whose outbox is open.
        if roster.outboxes.get(&id).is_some_and(mpsc::Sender::is_closed) {
            roster.remove(id);
        }
    }

    pub fn send_personal(&self, to: ClientId, text: impl Into<Utf8Bytes>) {
        let mut roster = self.lock();
        let outbox = roster.outboxes.get(&to);
        if outbox.is_some_and(|outbox| outbox.try_send(text.into()).is_err()) {
            roster.remove(to);
        }
    }

    /// Sends `text` to everyone, or to everyone but `exclude`.
    ///
    /// All clients receive all broadcasts in the same order.
    pub fn broadcast(&self, text: impl Into<Utf8Bytes>, exclude: Option<ClientId>) {
        self.lock().broadcast(text.into(), exclude);
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        // Should a task ever panic with the lock in hand, the others go on: we leave
        // no line of the roster half written.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster {
    /// Puts `text` in the outbox of everyone but `exclude`.
    ///
    /// A client whose outbox is full loses its place.
    fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<ClientId>) {
        let mut too_slow = Vec::new();
        for (&id, outbox) in &self.outboxes {
            if Some(id) != exclude && outbox.try_send(text.clone()).is_err() {
                too_slow.push(id);
            }
        }
        for id in too_slow {
            self.remove(id);
        }
    }

    /// Takes a client off the list, and tells the others, once.
    fn remove(&mut self, id: ClientId) {
        if self.outboxes.remove(&id).is_some() {
            self.broadcast(format!("Client {id} left.").into(), None);
        }
    }
}
