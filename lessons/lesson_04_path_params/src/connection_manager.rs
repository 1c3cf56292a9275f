//! Everyone who is connected, and how to reach them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::{spawn, sync::mpsc, task::yield_now};

use crate::socket::Batch;

/// How many batches may wait for one client. It is disconnected when one more comes.
pub const OUTBOX_SIZE: usize = 256;

pub type ClientId = u32;

/// Everyone who is connected right now. All clones share one list.
#[derive(Clone, Default)]
pub struct ConnectionManager {
    clients: Arc<Mutex<Clients>>,
}

#[derive(Default)]
struct Clients {
    outboxes: HashMap<ClientId, Outbox>,
    /// Who has left, and has not been announced yet.
    departed: Vec<ClientId>,
}

/// The sending half of one client's queue. `None` once the queue was full.
struct Outbox(Option<mpsc::Sender<Batch>>);

/// A client that is on the list, for as long as this guard lives.
pub struct Connection {
    pub id: ClientId,
    pub manager: ConnectionManager,
    /// What others have sent to this client. Its task must empty it.
    pub outbox: mpsc::Receiver<Batch>,
}

impl Drop for Connection {
    fn drop(&mut self) {
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
        entry.insert(Outbox(Some(sender)));
        clients.broadcast([format!("Client {id} joined.").into()].into(), Some(id));

        Some(Connection { id, manager: self.clone(), outbox })
    }

    fn disconnect(&self, id: ClientId) {
        let mut clients = self.lock();
        clients.outboxes.remove(&id);
        clients.departed.push(id);
        if clients.departed.len() == 1 {
            let manager = self.clone();
            spawn(async move {
                yield_now().await;
                manager.lock().announce_departed();
            });
        }
    }

    pub fn send_personal(&self, to: ClientId, text: impl Into<Utf8Bytes>) {
        if let Some(outbox) = self.lock().outboxes.get_mut(&to) {
            outbox.send([text.into()].into());
        }
    }

    /// Sends `text` to everyone but `exclude`. All clients receive the same order.
    pub fn broadcast(&self, text: impl Into<Utf8Bytes>, exclude: Option<ClientId>) {
        let mut clients = self.lock();
        clients.announce_departed();
        clients.broadcast([text.into()].into(), exclude);
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        // If a task panics while it holds the lock, the others go on with the list.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Announces those who have left to those who are still there, in one batch.
    fn announce_departed(&mut self) {
        if !self.departed.is_empty() {
            let left = |id| format!("Client {id} left.").into();
            let batch = self.departed.drain(..).map(left).collect();
            self.broadcast(batch, None);
        }
    }

    fn broadcast(&mut self, batch: Batch, exclude: Option<ClientId>) {
        for (&id, outbox) in &mut self.outboxes {
            if Some(id) != exclude {
                outbox.send(batch.clone());
            }
        }
    }
}

impl Outbox {
    /// Queues a batch. If the queue is full, it is closed, and the client's task ends.
    fn send(&mut self, batch: Batch) {
        if self.0.as_ref().is_some_and(|queue| queue.try_send(batch).is_err()) {
            self.0 = None;
        }
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
    fn insert(
        manager: &ConnectionManager,
        id: ClientId,
        size: usize,
    ) -> mpsc::Receiver<Batch> {
        let (sender, outbox) = mpsc::channel(size);
        manager.lock().outboxes.insert(id, Outbox(Some(sender)));
        outbox
    }

    #[tokio::test]
    async fn a_crowd_that_stalls_at_once_is_removed_and_each_departure_is_announced_once()
    {
        let manager = ConnectionManager::default();
        let mut readers: Vec<_> =
            (0..3).map(|id| insert(&manager, id, OUTBOX_SIZE)).collect();
        let mut stalled: Vec<_> = (3..10_003).map(|id| insert(&manager, id, 1)).collect();
        manager.broadcast("hello", None); // Now 10,000 outboxes are full.

        let start = Instant::now();
        manager.broadcast("still here?", None);
        (3..10_003).for_each(|id| manager.disconnect(id)); // Their tasks end.
        yield_now().await;
        yield_now().await; // The announcement has had its turn.
        let duration = start.elapsed();

        let members = manager.lock().outboxes.len();
        assert_eq!(members, 3, "those who read are still there");
        let limit =
            Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });
        assert!(duration < limit, "10,000 departures took {duration:?}");
        for outbox in &mut stalled {
            assert!(outbox.try_recv().is_ok(), "what was queued is still sent");
            assert!(outbox.is_closed(), "then the task finds its outbox closed");
        }
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
