//! The channels: who is subscribed to what, and how to publish to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{extract::ws::Utf8Bytes, http::StatusCode};
use lesson_08_auth::encode;
use lesson_15_database::ApiError;
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};
use tokio::sync::mpsc;

use crate::events::{Envelope, Identity, LiveEvent, Stats};

/// How many messages may wait for one client. It is disconnected when one more comes.
const OUTBOX_SIZE: usize = 256;

/// What a client can subscribe to: one channel for each model, and one for messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Users,
    Posts,
    News,
}

impl Channel {
    /// For the stats. Who adds a variant has to add it here, too: no compiler asks for it.
    const ALL: [Self; 3] = [Self::Users, Self::Posts, Self::News];

    /// The channel of this name. If there is none, the error lists those that exist.
    pub fn parse(name: &str) -> Result<Self, ApiError> {
        Self::deserialize(name.into_deserializer()).map_err(|error: Error| {
            ApiError::new(StatusCode::NOT_FOUND, &error.to_string())
        })
    }
}

/// The name that serde gives it.
impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// All subscribers of all channels. All clones share them.
///
/// There is one lock for all of it, held for a moment and never over an `await`. Whoever
/// has the lock of the database may take this one; nobody takes that with this in hand.
#[derive(Clone, Default)]
pub struct Channels {
    subscribers: Arc<Mutex<Subscribers>>,
}

#[derive(Default)]
struct Subscribers {
    /// Ids of our own: two clients may call themselves the same.
    last_id: u64,
    by_id: BTreeMap<u64, Subscriber>,
}

/// One socket, as those who publish see it.
struct Subscriber {
    identity: Identity,
    channels: BTreeSet<Channel>,
    outbox: mpsc::Sender<Utf8Bytes>,
}

/// One socket among the subscribers, for as long as this guard lives.
pub struct Subscription {
    id: u64,
    pub channels: Channels,
    /// What is sent to this client. Its task must empty it. Once it was full, it ends.
    pub outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channels.lock().by_id.remove(&self.id);
    }
}

impl Channels {
    /// Adds a client, and greets it. What is published from now on comes after the greeting.
    pub fn connect(&self, identity: Identity, first: Option<Channel>) -> Subscription {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        let message = first.map_or("Connected".into(), |channel| {
            format!("Connected to channel: {channel}")
        });
        let client_id = &identity.client_id;
        let greeting = LiveEvent::Connection { message, channel: first, client_id };
        let greeting = encode(&Envelope::new(None, greeting));
        let _ = sender.try_send(greeting); // There is room: it is the first.

        let mut subscribers = self.lock();
        subscribers.last_id += 1;
        let id = subscribers.last_id;
        let channels = BTreeSet::from_iter(first);
        subscribers.by_id.insert(id, Subscriber { identity, channels, outbox: sender });

        Subscription { id, channels: self.clone(), outbox }
    }

    /// Publishes an event to all subscribers of `channel`, except those that are `exclude`.
    /// Returns in how many outboxes it is.
    pub fn publish(
        &self,
        channel: Channel,
        event: &impl Serialize,
        exclude: Option<&Identity>,
    ) -> usize {
        self.send_where(&Envelope::new(Some(channel), event), |subscriber| {
            subscriber.channels.contains(&channel)
                && Some(&subscriber.identity) != exclude
        })
    }

    /// Publishes an event to every client, once, however many channels it has. Returns in
    /// how many outboxes it is.
    pub fn publish_to_all(&self, event: &impl Serialize) -> usize {
        self.send_where(&Envelope::new(None, event), |_| true)
    }

    fn send_where(
        &self,
        message: &impl Serialize,
        is_recipient: impl Fn(&Subscriber) -> bool,
    ) -> usize {
        let text = encode(message); // Once, for all of them.
        let mut count = 0;
        // A client whose outbox is full is no longer a subscriber, and its task ends: a
        // table in which a change is missing would be wrong for ever.
        self.lock().by_id.retain(|_, subscriber| {
            let wanted = is_recipient(subscriber);
            let sent = wanted && subscriber.outbox.try_send(text.clone()).is_ok();
            count += usize::from(sent);
            sent || !wanted
        });
        count
    }

    pub fn stats(&self) -> Stats {
        let subscribers = self.lock();
        let count = |channel| {
            let is_subscribed = |entry: &&Subscriber| entry.channels.contains(&channel);
            (channel, subscribers.by_id.values().filter(is_subscribed).count())
        };
        Stats {
            total_channels: Channel::ALL.len(),
            channels: Channel::ALL.map(count).into(),
            total_connections: subscribers.by_id.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        // If a task panics while it holds the lock, the others go on with the subscribers.
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Subscribes to a channel, too. Who is subscribed already gets the same answer, and
    /// each event once.
    pub fn subscribe(&self, channel: Channel) {
        self.change(&LiveEvent::Subscribed { channel }, |channels| {
            channels.insert(channel);
        });
    }

    pub fn unsubscribe(&self, channel: Channel) {
        self.change(&LiveEvent::Unsubscribed { channel }, |channels| {
            channels.remove(&channel);
        });
    }

    /// Sends something to this client alone, behind all that waits for it.
    pub fn send(&self, message: &LiveEvent) {
        self.change(message, |_| {});
    }

    /// Changes the channels of this client, and answers it. No event gets in between,
    /// because whoever publishes needs the same lock.
    fn change(&self, answer: &LiveEvent, change: impl FnOnce(&mut BTreeSet<Channel>)) {
        let answer = encode(answer);
        let mut subscribers = self.channels.lock();
        // It may have been removed since, because its outbox was full. Then its task ends.
        if let Some(subscriber) = subscribers.by_id.get_mut(&self.id) {
            change(&mut subscriber.channels);
            // Who asks and does not read is too slow, too.
            if subscriber.outbox.try_send(answer).is_err() {
                subscribers.by_id.remove(&self.id);
            }
        }
    }
}
