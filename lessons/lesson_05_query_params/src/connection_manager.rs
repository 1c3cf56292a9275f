//! Everyone who is connected, and how to reach them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::{spawn, sync::mpsc, task::yield_now};

use crate::socket::Batch;

/// How many batches may wait for one client. With the next one it is removed.
///
/// A burst of honest messages must fit. Somebody who floods on purpose can still fill
/// the outboxes of others.
pub const OUTBOX_SIZE: usize = 256;

pub type ClientId = u32;

/// Everyone who is connected right now.
///
/// This is only a handle. Clone it freely: all clones share one list.
#[derive(Clone, Default)]
pub struct ConnectionManager {
    clients: Arc<Mutex<Clients>>,
}

#[derive(Default)]
struct Clients {
    outboxes: HashMap<ClientId, mpsc::Sender<Batch>>,
    /// Who has left, and has not been announced yet.
    departed: Vec<ClientId>,
}

/// A client that is on the list, for as long as this lives.
///
/// This is a guard: when it is dropped, the client is removed, and the others are notified.
pub struct Connection {
    pub id: ClientId,
    pub manager: ConnectionManager,
    /// What others have sent to this client. Its task must empty it.
    pub outbox: mpsc::Receiver<Batch>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.outbox.close();
        self.manager.disconnect(self.id);
    }
}

impl ConnectionManager {
    /// Adds a client, and notifies the others. `None` if the id is in use.
    pub fn connect(&self, id: ClientId) -> Option<Connection> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut clients = self.lock();
        clients.announce_departed(); // First: they left before this client came.
        let Entry::Vacant(entry) = clients.outboxes.entry(id) else {
            return None;
        };
        entry.insert(sender);
        clients.broadcast(format!("Client {id} joined.").into(), Some(id));

        Some(Connection { id, manager: self.clone(), outbox })
    }

    fn disconnect(&self, id: ClientId) {
        let mut clients = self.lock();
        // Why look whether it is closed? A client that was removed may find another one
        // under its id, whose outbox is open.
        if clients.outboxes.get(&id).is_some_and(mpsc::Sender::is_closed) {
            clients.remove(id);
        }
        if clients.departed.len() == 1 {
            let manager = self.clone();
            spawn(async move {
                yield_now().await;
                manager.lock().announce_departed();
            });
        }
    }

    pub fn send_personal(&self, to: ClientId, text: impl Into<Utf8Bytes>) {
        let mut clients = self.lock();
        let outbox = clients.outboxes.get(&to);
        if outbox.is_some_and(|outbox| outbox.try_send([text.into()].into()).is_err()) {
            clients.remove(to);
            clients.announce_departed();
        }
    }

    /// Sends `text` to everyone, or to everyone but `exclude`.
    ///
    /// All clients receive all broadcasts in the same order.
    pub fn broadcast(&self, text: impl Into<Utf8Bytes>, exclude: Option<ClientId>) {
        self.lock().broadcast(text.into(), exclude);
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        // Should a task ever panic while it holds the lock, the others go on: no change
        // is left half done.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Puts `text` in the outbox of everyone but `exclude`.
    ///
    /// A client whose outbox is full is removed, and the others are notified.
    fn broadcast(&mut self, text: Utf8Bytes, exclude: Option<ClientId>) {
        self.announce_departed();
        self.enqueue([text].into(), exclude);
        self.announce_departed();
    }

    /// Removes a client. Whoever calls this has to notify the others.
    fn remove(&mut self, id: ClientId) {
        if self.outboxes.remove(&id).is_some() {
            self.departed.push(id);
        }
    }

    /// Announces those who have left to those who are still there.
    fn announce_departed(&mut self) {
        while !self.departed.is_empty() {
            let left = |id| format!("Client {id} left.").into();
            let batch = self.departed.drain(..).map(left).collect();
            self.enqueue(batch, None);
        }
    }

    /// Puts `batch` in the outbox of everyone but `exclude`.
    ///
    /// Clients whose outbox is full are removed.
    fn enqueue(&mut self, batch: Batch, exclude: Option<ClientId>) {
        let is_full =
            |outbox: &mpsc::Sender<Batch>| outbox.try_send(batch.clone()).is_err();
        let slow = self
            .outboxes
            .extract_if(|&id, outbox| Some(id) != exclude && is_full(outbox));

        self.departed.extend(slow.map(|(id, _)| id));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        time::{Duration, Instant},
    };

    use super::*;

    /// A client whose outbox takes so many batches.
    fn insert(clients: &mut Clients, id: ClientId, size: usize) -> mpsc::Receiver<Batch> {
        let (sender, outbox) = mpsc::channel(size);
        clients.outboxes.insert(id, sender);
        outbox
    }

    #[test]
    fn a_crowd_that_stalls_at_once_is_removed_and_each_departure_is_announced_once() {
        let mut clients = Clients::default();
        let mut readers: Vec<_> =
            (0..3).map(|id| insert(&mut clients, id, OUTBOX_SIZE)).collect();
        let _stalled: Vec<_> =
            (3..10_003).map(|id| insert(&mut clients, id, 1)).collect();
        clients.broadcast("hello".into(), None); // Now 10,000 outboxes are full.

        let start = Instant::now();
        clients.broadcast("still here?".into(), None);
        let duration = start.elapsed();

        let limit =
            Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });
        assert!(duration < limit, "10,000 departures took {duration:?}");
        assert_eq!(clients.outboxes.len(), 3, "those who read are still there");
        for reader in &mut readers {
            let mut left = Vec::new();
            while let Ok(batch) = reader.try_recv() {
                left.extend(batch.iter().filter(|text| text.ends_with("left.")).cloned());
            }
            assert_eq!(left.len(), 10_000, "each departure is announced");
            let different: HashSet<&str> =
                left.iter().map(|text| text.as_str()).collect();
            assert_eq!(different.len(), 10_000, "and it is announced once");
        }
    }
}
