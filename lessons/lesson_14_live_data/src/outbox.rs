//! The outbox: what waits for one client, and what happens when it is too much.

use std::{
    collections::VecDeque,
    mem,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

/// What we do when the outbox of a client is full.
#[derive(Clone, Copy, PartialEq)]
pub enum SlowClient {
    /// Close with 4008. It can come back, and begin anew.
    Close,
    /// Drop its oldest message. It never learns of it.
    DropOldest,
    /// Drop its oldest message, and tell it how many it has missed.
    Tell,
}

/// Reads `close`, `drop` or `tell`.
impl FromStr for SlowClient {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "close" => Ok(Self::Close),
            "drop" => Ok(Self::DropOldest),
            "tell" => Ok(Self::Tell),
            _ => Err("it may be close, drop or tell"),
        }
    }
}

/// How many messages we write in one go. All of them have ten seconds: a client that is
/// slow, but reads, must manage that.
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
pub struct Waiting {
    /// How many messages were dropped that came before these, and should be told of.
    pub missed: usize,
    pub messages: VecDeque<Utf8Bytes>,
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
    /// Nobody sends any more, or nobody reads any more.
    closed: bool,
}

/// An outbox for at most `size` messages.
pub fn outbox(size: usize, slow_client: SlowClient) -> (Sender, Outbox) {
    let shared = Arc::<Shared>::default();
    (Sender { shared: shared.clone(), size, slow_client }, Outbox { shared })
}

impl Sender {
    /// Puts a message into the outbox, without waiting. `false` if its client has to go.
    pub fn send(&self, message: Utf8Bytes) -> bool {
        let mut queue = self.shared.lock();
        if queue.closed {
            return false;
        }
        if queue.messages.len() == self.size {
            if self.slow_client == SlowClient::Close {
                return false;
            }
            queue.messages.pop_front();
            queue.missed += usize::from(self.slow_client == SlowClient::Tell);
        }
        queue.messages.push_back(message);
        self.shared.changed.notify_one();
        true
    }

    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Outbox {
    /// Waits for messages, and takes some of them. `None` when none will come any more.
    ///
    /// Cancel safe: what is not taken stays where it is.
    pub async fn take(&mut self) -> Option<Waiting> {
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

    /// Takes what is there, which may be nothing.
    pub fn take_now(&mut self) -> Waiting {
        self.shared.lock().take(usize::MAX)
    }

    /// Whether its client has lost its place: the others have been told that it left.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Takes no more messages.
    pub fn close(&mut self) {
        self.shared.close();
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
    fn take(&mut self, at_most: usize) -> Waiting {
        let count = at_most.min(self.messages.len());
        Waiting {
            missed: mem::take(&mut self.missed),
            messages: self.messages.drain(..count).collect(),
        }
    }
}
