//! Events: what has changed, and everybody who is subscribed.

use axum::extract::ws::Utf8Bytes;
use lesson_08_auth::{Disconnect, encode};
use serde::Serialize;
use tokio::sync::broadcast;

/// How many events may wait for one subscriber. With the next one, it counts as too slow.
const MAX_WAITING: usize = 256;

/// The number of a change. Each is greater by one than that of the change before it.
pub type Version = i64;

/// What has happened, as subscribers receive it: the `data` is a row, or what is left of one.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<T> {
    Created(Change<T>),
    Updated(Change<T>),
    Deleted(Change<T>),
}

#[derive(Serialize)]
pub struct Change<T> {
    /// Which list it is.
    pub model: &'static str,
    pub version: Version,
    pub data: T,
}

/// All that is left to say of a row that is gone.
#[derive(Serialize)]
pub struct Deleted {
    pub id: i64,
}

/// Where events are published. All clones share the subscribers.
#[derive(Clone)]
pub struct Events {
    sender: broadcast::Sender<Utf8Bytes>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(MAX_WAITING) }
    }
}

impl Events {
    /// Sends an event to all subscribers. It never waits.
    ///
    /// Whoever makes changes calls this before the next change can be made, so under the
    /// lock of the list: then the events have the order of the changes.
    pub fn publish(&self, event: &Event<impl Serialize>) {
        // The only error is that nobody is subscribed, and then nobody misses it.
        let _ = self.sender.send(encode(event));
    }

    /// A subscription, which receives every event from now on.
    pub(crate) fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.sender.subscribe() }
    }
}

/// The events since somebody subscribed.
pub(crate) struct Subscription {
    receiver: broadcast::Receiver<Utf8Bytes>,
}

impl Subscription {
    /// Waits for an event, and returns it together with those that are there as well.
    ///
    /// Cancel safe: in a `select!`, no event is lost.
    pub async fn recv(&mut self) -> Result<Vec<Utf8Bytes>, Disconnect> {
        // The channel is not closed, because `Events` is a part of the state. So the only
        // error is `Lagged`: a list in which a change is missing would be wrong for ever.
        let first = self.receiver.recv().await.map_err(|_| Disconnect::TOO_SLOW)?;

        let mut events = vec![first];
        events.extend(self.take()?);
        Ok(events)
    }

    /// The events that are there already.
    pub fn take(&mut self) -> Result<Vec<Utf8Bytes>, Disconnect> {
        use broadcast::error::TryRecvError::{Closed, Empty, Lagged};

        let mut events = Vec::new();
        loop {
            match self.receiver.try_recv() {
                Ok(event) => events.push(event),
                Err(Empty | Closed) => return Ok(events),
                Err(Lagged(_)) => return Err(Disconnect::TOO_SLOW),
            }
        }
    }
}
