//! The outbox: what waits for one client.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

use super::socket::Disconnect;

/// How many messages are written in one go.
///
/// Why not all? A batch has one deadline, and a client that is slow, but reads, must be able
/// to meet it.
const BATCH: usize = 32;

/// The end that others put messages into. The outbox closes when this is dropped.
pub struct Sender<M = Utf8Bytes> {
    shared: Arc<Shared<M>>,
    size: usize,
}

/// The end that the client's own task empties.
pub struct Outbox<M = Utf8Bytes> {
    shared: Arc<Shared<M>>,
}

/// The texts that are written next.
pub type Batch = Vec<Utf8Bytes>;

/// Where a session finds what it has to send.
pub trait Outgoing: Send {
    /// Waits for messages, and takes some of them, or none if [`may_receive`] has changed. The
    /// error says how the connection ends.
    ///
    /// [`may_receive`]: Outgoing::may_receive
    ///
    /// Must be cancel safe: what is not taken stays where it is.
    fn recv(&mut self) -> impl Future<Output = Result<Batch, Disconnect>> + Send;

    /// Takes what is there, which may be nothing, without waiting.
    fn drain(&mut self) -> Batch;

    /// Takes the last messages, when the server stops. It may wait for answers to what the
    /// client has sent before.
    fn finish(&mut self) -> impl Future<Output = Batch> + Send {
        async { self.drain() }
    }

    /// Whether the client may send something now. If not, we do not read.
    fn may_receive(&self) -> bool {
        true
    }
}

struct Shared<M> {
    queue: Mutex<Queue<M>>,
    /// Wakes the client's task when the queue has changed.
    changed: Notify,
}

struct Queue<M> {
    messages: VecDeque<M>,
    /// The sender is gone, or the outbox was full.
    closed: bool,
}

/// An outbox for at most `size` messages.
pub fn outbox<M>(size: usize) -> (Sender<M>, Outbox<M>) {
    let queue = Mutex::new(Queue { messages: VecDeque::new(), closed: false });
    let shared = Arc::new(Shared { queue, changed: Notify::new() });
    (Sender { shared: shared.clone(), size }, Outbox { shared })
}

impl<M> Sender<M> {
    /// Puts a message into the outbox, without waiting.
    ///
    /// If the outbox is full, it closes: the client's task receives what is in it, and then
    /// finds it closed. Returns whether it is open.
    pub fn send(&self, message: M) -> bool {
        let mut queue = self.shared.lock();
        if queue.messages.len() == self.size {
            queue.closed = true;
        }
        if !queue.closed {
            queue.messages.push_back(message);
        }
        self.shared.changed.notify_one();
        !queue.closed
    }
}

impl<M> Drop for Sender<M> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl<M> Outbox<M> {
    /// Waits for messages, and takes a batch of them. `None` once the outbox is closed and
    /// empty. Cancel safe.
    pub async fn take(&mut self) -> Option<Vec<M>> {
        loop {
            {
                let mut queue = self.shared.lock();
                if !queue.messages.is_empty() {
                    return Some(queue.take());
                }
                if queue.closed {
                    return None;
                }
            }
            self.shared.changed.notified().await;
        }
    }

    /// Takes a batch, which may be empty, without waiting.
    pub fn take_now(&mut self) -> Vec<M> {
        self.shared.lock().take()
    }

    /// Takes all that is there, without waiting.
    pub fn take_all(&mut self) -> Vec<M> {
        self.shared.lock().messages.drain(..).collect()
    }
}

/// Whoever does not keep up is too slow. What is left then is one batch, because the client
/// has to go.
impl Outgoing for Outbox {
    async fn recv(&mut self) -> Result<Batch, Disconnect> {
        let mut batch = self.take().await.ok_or(Disconnect::TOO_SLOW)?;
        if self.shared.lock().closed {
            batch.extend(self.take_all());
        }
        Ok(batch)
    }

    fn drain(&mut self) -> Batch {
        self.take_all()
    }
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, Queue<M>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Queue<M> {
    fn take(&mut self) -> Vec<M> {
        let count = BATCH.min(self.messages.len());
        self.messages.drain(..count).collect()
    }
}
