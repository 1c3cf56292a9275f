//! The outbox: what waits for one client, and what happens when it is too much.

use std::{
    collections::VecDeque,
    mem,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

/// How many batches are taken out at once, while the outbox is open.
///
/// Why not all? What is taken out at once has one deadline, and a client that is slow, but
/// reads, must be able to meet it. A closed outbox is emptied in one go, because its client
/// has to leave.
const BATCHES_AT_ONCE: usize = 32;

/// What happens when the outbox of a client is full, and one more batch comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlowClient {
    /// The outbox is closed: the client is sent what is in it, and then a Close with 4008.
    Close,
    /// The oldest batch is dropped.
    Drop,
    /// The oldest batch is dropped, and the client is sent how many messages it has missed.
    Notify,
}

/// Reads one of `close`, `drop` and `notify`. The error is a sentence.
impl FromStr for SlowClient {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "close" => Ok(Self::Close),
            "drop" => Ok(Self::Drop),
            "notify" => Ok(Self::Notify),
            _ => Err("it may be close, drop or notify"),
        }
    }
}

/// Messages that are sent to a client together, mostly one. All clones share the texts.
pub type Batch = Arc<[Utf8Bytes]>;

/// An outbox for at most `size` batches: the end for those who send, and the end for the
/// client's own task.
pub fn outbox(size: usize, policy: SlowClient) -> (Sender, Outbox) {
    let shared = Arc::<Shared>::default();
    (Sender { shared: shared.clone(), size, policy }, Outbox { shared })
}

/// The end that others put batches into. The outbox closes when this is dropped.
pub struct Sender {
    shared: Arc<Shared>,
    size: usize,
    policy: SlowClient,
}

/// The end that the client's own task empties.
pub struct Outbox {
    shared: Arc<Shared>,
}

/// What has been waiting for a client.
pub struct Outgoing {
    /// How many messages were dropped before these, if the policy is to notify.
    pub missed: usize,
    pub batches: Vec<Batch>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the client's task when the queue has changed.
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    missed: usize,
    /// The sender is gone, or the outbox was full and the policy is to close.
    closed: bool,
}

impl Sender {
    /// Puts a batch into the outbox, without waiting. If it is full, the policy decides.
    pub fn send(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let mut queue = self.shared.lock();
        if queue.batches.len() >= self.size {
            match self.policy {
                SlowClient::Close => queue.closed = true,
                SlowClient::Drop => {
                    queue.drop_oldest();
                }
                SlowClient::Notify => queue.missed += queue.drop_oldest(),
            }
        }
        if !queue.closed {
            queue.batches.push_back(batch);
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Outbox {
    /// Waits for batches, and takes some of them. `None` if the outbox is closed and empty.
    ///
    /// Cancel safe: what is not taken stays where it is.
    pub async fn recv(&mut self) -> Option<Outgoing> {
        loop {
            // A statement of its own: the lock is released before we wait.
            let next = self.shared.lock().take();
            match next {
                Next::Take(outgoing) => return Some(outgoing),
                Next::End => return None,
                Next::Wait => self.shared.changed.notified().await,
            }
        }
    }
}

/// What the client's task is to do next.
enum Next {
    Take(Outgoing),
    Wait,
    End,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // If a task panics while it holds the lock, no change is left half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Drops the oldest batch. Returns how many messages were in it.
    fn drop_oldest(&mut self) -> usize {
        self.batches.pop_front().map_or(0, |oldest| oldest.len())
    }

    /// Takes some of the batches out. Those that the client missed were older.
    fn take(&mut self) -> Next {
        let at_most = if self.closed { usize::MAX } else { BATCHES_AT_ONCE };
        let count = at_most.min(self.batches.len());
        match (count, self.closed) {
            (0, true) => Next::End,
            (0, false) => Next::Wait,
            _ => Next::Take(Outgoing {
                missed: mem::take(&mut self.missed),
                batches: self.batches.drain(..count).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{select, spawn, task::yield_now, time::timeout};

    use super::*;

    fn batch<const N: usize>(texts: [&'static str; N]) -> Batch {
        texts.map(Utf8Bytes::from).into()
    }

    /// How many batches come next, and how many messages were missed before them.
    async fn next(outbox: &mut Outbox) -> Option<(usize, usize)> {
        let Outgoing { missed, batches } = outbox.recv().await?;
        Some((batches.len(), missed))
    }

    /// What is taken at once has one deadline, so it must be possible to read what waits in
    /// several goes.
    #[tokio::test]
    async fn an_outbox_is_emptied_in_parts_until_it_is_closed() {
        let (sender, mut outbox) = outbox(1_000, SlowClient::Drop);
        for _ in 0..100 {
            sender.send(batch(["hello"]));
        }

        let first = next(&mut outbox).await;
        assert_eq!(first, Some((32, 0)), "a part that a client can read in ten seconds");
        drop(sender);
        let rest = next(&mut outbox).await;
        assert_eq!(
            rest,
            Some((68, 0)),
            "then all the rest, because the client has to go"
        );
        assert_eq!(next(&mut outbox).await, None, "and no more");
    }

    #[tokio::test]
    async fn an_outbox_that_was_full_takes_no_more_messages() {
        let (sender, mut outbox) = outbox(2, SlowClient::Close);

        for text in ["one", "two", "three", "four"] {
            sender.send(batch([text]));
        }

        assert_eq!(next(&mut outbox).await, Some((2, 0)), "what was queued is sent");
        sender.send(batch(["five"])); // There is room now, but it comes too late.
        assert_eq!(next(&mut outbox).await, None, "so that the client's task ends");
    }

    #[tokio::test]
    async fn what_is_missed_is_counted_in_messages() {
        for (policy, missed) in [(SlowClient::Drop, 0), (SlowClient::Notify, 5)] {
            let (sender, mut outbox) = outbox(2, policy);

            sender.send(batch(["one", "two", "three", "four"]));
            sender.send(batch(["five"]));
            sender.send(batch(["six"]));
            sender.send(batch(["seven"]));

            let came = outbox.recv().await.expect("the outbox is open");
            assert_eq!(came.batches, [batch(["six"]), batch(["seven"])], "the newest");
            assert_eq!(came.missed, missed, "two batches were dropped ({policy:?})");
        }
    }

    /// In a `select!`, `recv` is dropped whenever the other arm is first.
    #[tokio::test]
    async fn a_recv_that_is_dropped_loses_nothing() {
        let (sender, mut outbox) = outbox(10, SlowClient::Close);

        for text in ["one", "two"] {
            select! {
                biased;
                _ = outbox.recv() => panic!("nothing has been sent"),
                () = async { sender.send(batch([text])) } => {}
            }
            let came = outbox.recv().await.expect("the outbox is open");
            assert_eq!(came.batches, [batch([text])], "it was there all the time");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_waits_is_woken_by_a_message_and_by_the_end() {
        let (sender, mut outbox) = outbox(10, SlowClient::Close);
        let task = spawn(async move {
            let first = next(&mut outbox).await;
            (first, next(&mut outbox).await)
        });
        yield_now().await; // Now the task waits.

        sender.send(batch(["hello"]));
        yield_now().await;
        drop(sender);

        let came = timeout(Duration::from_secs(1), task).await;
        let came = came.expect("the task should be woken").expect("and not panic");
        assert_eq!(came, (Some((1, 0)), None), "one message, and then the end");
    }
}
