//! Everyone who is connected, and how to reach them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;

use crate::protocol::{ToClient, Username};

/// How many messages may wait for one client. It loses its place with the next one.
///
/// A burst of honest messages must fit. Somebody who floods on purpose can still
/// fill the outboxes of others.
pub const OUTBOX_SIZE: usize = 256;

/// Everyone who is connected right now.
///
/// This is only a handle. Clone it freely: all clones share one roster.
#[derive(Clone, Default)]
pub struct ConnectionManager {
    roster: Arc<Mutex<Roster>>,
}

#[derive(Default)]
struct Roster {
    outboxes: HashMap<Username, mpsc::Sender<Utf8Bytes>>,
}

/// One client's place in the list, which it gives up when this is dropped.
pub struct Connection {
    pub username: Username,
    pub manager: ConnectionManager,
    /// What others have sent to this client. Its task must empty it.
    pub outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.outbox.close();
        self.manager.disconnect(&self.username);
    }
}

impl ConnectionManager {
    /// Adds a client, and tells the others. `None` if the name is taken.
    pub fn connect(&self, username: Username) -> Option<Connection> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut roster = self.lock();
        let Entry::Vacant(place) = roster.outboxes.entry(username.clone()) else {
            return None;
        };
        place.insert(sender);
        roster.broadcast(&ToClient::UserJoined { username: &username }, Some(&username));

        Some(Connection { username, manager: self.clone(), outbox })
    }

    fn disconnect(&self, username: &Username) {
        let mut roster = self.lock();
        // Why look whether it is closed? A client that lost its place may have left
        // it to another one with the same name, whose outbox is open.
        if roster.outboxes.get(username).is_some_and(mpsc::Sender::is_closed) {
            roster.remove(username);
        }
    }

    pub fn send_personal(&self, to: &Username, message: &ToClient) {
        let mut roster = self.lock();
        let outbox = roster.outboxes.get(to);
        if outbox.is_some_and(|outbox| outbox.try_send(message.encode()).is_err()) {
            roster.remove(to);
        }
    }

    /// Sends `message` to everyone, or to everyone but `exclude`.
    ///
    /// All clients receive all broadcasts in the same order.
    pub fn broadcast(&self, message: &ToClient, exclude: Option<&Username>) {
        self.lock().broadcast(message, exclude);
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        // Should a task ever panic with the lock in hand, the others go on: we leave
        // no line of the roster half written.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster {
    /// Puts `message` in the outbox of everyone but `exclude`.
    ///
    /// A client whose outbox is full loses its place.
    fn broadcast(&mut self, message: &ToClient, exclude: Option<&Username>) {
        let text = message.encode(); // Once, for all of them.
        let mut too_slow = Vec::new();
        for (username, outbox) in &self.outboxes {
            if Some(username) != exclude && outbox.try_send(text.clone()).is_err() {
                too_slow.push(username.clone());
            }
        }
        for username in &too_slow {
            self.remove(username);
        }
    }

    /// Takes a client off the list, and tells the others, once.
    fn remove(&mut self, username: &Username) {
        if self.outboxes.remove(username).is_some() {
            self.broadcast(&ToClient::UserLeft { username }, None);
        }
    }
}
