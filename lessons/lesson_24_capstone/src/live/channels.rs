//! The subscribers of all channels, and how to publish to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    channel::Channel,
    events::{Identity, LiveEvent, MessageText, Stats},
};
use crate::{
    config::Config,
    names::Username,
    session::{
        json::{encode, now},
        outbox::{Outbox, Sender, outbox},
    },
};

/// All subscribers. All clones share them.
#[derive(Clone)]
pub struct Channels {
    subscribers: Arc<Mutex<Subscribers>>,
    outbox_size: usize,
}

#[derive(Default)]
struct Subscribers {
    last_id: u64,
    by_id: BTreeMap<u64, Subscriber>,
}

struct Subscriber {
    identity: Identity,
    channels: BTreeSet<Channel>,
    outbox: Sender,
}

/// One socket among the subscribers, for as long as this guard lives.
pub struct Subscription {
    id: u64,
    channels: Channels,
    /// What is sent to this client. Its task must empty it.
    pub outbox: Outbox,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channels.lock().by_id.remove(&self.id);
    }
}

impl Channels {
    pub fn new(config: &Config) -> Self {
        Self { subscribers: Arc::default(), outbox_size: config.outbox_size }
    }

    /// Adds a client, and greets it. Whatever is published from now on reaches it, and
    /// comes after the greeting.
    pub fn connect(&self, identity: Identity, first: Option<Channel>) -> Subscription {
        // If it is full, the client is disconnected: a table in which a change is missing is
        // wrong. So it comes back, and loads the table again.
        let (sender, outbox) = outbox(self.outbox_size);
        sender.send(encode(&LiveEvent::connection(&identity.client_id, first)));

        let mut subscribers = self.lock();
        subscribers.last_id += 1;
        let id = subscribers.last_id;
        let channels = BTreeSet::from_iter(first);
        let subscriber = Subscriber { identity, channels, outbox: sender };
        subscribers.by_id.insert(id, subscriber);

        Subscription { id, channels: self.clone(), outbox }
    }

    /// Sends `message` to all subscribers of `channel`, but not to the clients `exclude`.
    /// Returns how many that were.
    pub fn publish(
        &self,
        channel: Channel,
        message: &LiveEvent,
        exclude: Option<&Identity>,
    ) -> usize {
        self.send_where(message, |subscriber| {
            subscriber.channels.contains(&channel)
                && Some(&subscriber.identity) != exclude
        })
    }

    /// Sends `message` to every client, once. Returns how many that were.
    pub fn publish_to_all(&self, message: &LiveEvent) -> usize {
        self.send_where(message, |_| true)
    }

    fn send_where(
        &self,
        message: &LiveEvent,
        is_recipient: impl Fn(&Subscriber) -> bool,
    ) -> usize {
        let text = encode(message); // Once, for all of them.
        let subscribers = self.lock();
        let recipients = subscribers.by_id.values().filter(|entry| is_recipient(entry));
        recipients.filter(|entry| entry.outbox.send(text.clone())).count()
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

    /// Sends a message of this client to all subscribers of `channel`, itself included if
    /// it is one. If the channel takes none, the client is told.
    pub fn publish(&self, channel: Channel, from: &Username, message: &MessageText) {
        if channel.takes_messages() {
            let timestamp = now();
            let message = LiveEvent::Message { channel, message, from, timestamp };
            self.channels.publish(channel, &message, None);
        } else {
            let message = format!("{channel} takes no messages: it brings changes");
            self.send(&LiveEvent::Error { message });
        }
    }

    pub fn send_stats(&self) {
        self.send(&LiveEvent::Stats { data: self.channels.stats() });
    }

    /// Sends something to this client alone.
    pub fn send(&self, message: &LiveEvent) {
        if let Some(subscriber) = self.channels.lock().by_id.get(&self.id) {
            subscriber.outbox.send(encode(message)); // If it is full, its task ends.
        }
    }

    /// Changes the channels of this client, and answers it. No event gets in between.
    fn change(&self, answer: &LiveEvent, change: impl FnOnce(&mut BTreeSet<Channel>)) {
        let mut subscribers = self.channels.lock();
        if let Some(subscriber) = subscribers.by_id.get_mut(&self.id) {
            change(&mut subscriber.channels);
            subscriber.outbox.send(encode(answer));
        }
    }
}
