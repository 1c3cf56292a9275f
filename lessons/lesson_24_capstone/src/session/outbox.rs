//! The outbox: what waits for one client, and what happens when it is too much.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

use crate::config::SlowClient;

/// How many messages are written in one go, while the outbox is open.
///
/// Why not all? A batch has one deadline, and a client that is slow, but reads, must be able
/// to meet it. What is left in a closed outbox is one batch, because its client has to go.
const BATCH: usize = 32;

/// The end that others put messages into. The outbox closes when this is dropped.
pub struct Sender {
    shared: Arc<Shared>,
    size: usize,
    slow_client: SlowClient,
}

/// The end that the client's own task empties.
pub struct Outbox {
    shared: Arc<Shared>,
}

/// What was in an outbox.
pub struct Batch {
    /// How many messages before these were dropped, if the client should be told.
    pub missed: usize,
    pub messages: VecDeque<Utf8Bytes>,
}

/// Where a session finds what it has to send.
pub trait Outgoing: Send {
    /// Waits for messages, and takes some of them. `None` once the client was too slow.
    ///
    /// Must be cancel safe: what is not taken stays where it is.
    fn recv(&mut self) -> impl Future<Output = Option<Batch>> + Send;

    /// Takes what is there, which may be nothing, without waiting.
    fn drain(&mut self) -> Batch;
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the client's task when the queue has changed.
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Utf8Bytes>,
    missed: usize,
    /// The sender is gone, or the outbox was full and its policy is to close.
    closed: bool,
}

/// An outbox for at most `size` messages.
pub fn outbox(size: usize, slow_client: SlowClient) -> (Sender, Outbox) {
    let shared = Arc::<Shared>::default();
    (Sender { shared: shared.clone(), size, slow_client }, Outbox { shared })
}

impl Sender {
    /// Puts a message into the outbox, without waiting.
    ///
    /// If the outbox is full, the policy says what happens. To close means that the
    /// client's task finds the outbox closed, and ends. Returns whether it is open.
    pub fn send(&self, message: Utf8Bytes) -> bool {
        let mut queue = self.shared.lock();
        if queue.closed {
            return false;
        }
        if queue.messages.len() == self.size {
            if self.slow_client == SlowClient::Close {
                queue.closed = true;
                self.shared.changed.notify_one();
                return false;
            }
            queue.messages.pop_front();
            queue.missed += usize::from(self.slow_client == SlowClient::Notify);
        }
        queue.messages.push_back(message);
        self.shared.changed.notify_one();
        true
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Outgoing for Outbox {
    async fn recv(&mut self) -> Option<Batch> {
        loop {
            {
                let mut queue = self.shared.lock();
                if !queue.messages.is_empty() {
                    let at_most = if queue.closed { usize::MAX } else { BATCH };
                    return Some(queue.take(at_most));
                }
                if queue.closed {
                    return None;
                }
            }
            self.shared.changed.notified().await;
        }
    }

    fn drain(&mut self) -> Batch {
        self.shared.lock().take(usize::MAX)
    }
}

impl Shared {
    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self, at_most: usize) -> Batch {
        let count = at_most.min(self.messages.len());
        Batch {
            missed: mem::take(&mut self.missed),
            messages: self.messages.drain(..count).collect(),
        }
    }
}
