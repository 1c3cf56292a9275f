//! The channels, who follows them, and how to reach everybody who does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    events::{ClientId, ToFollower},
    outbox::{Outbox, Sender, SlowClient, outbox},
    protocol::{Username, WORD_LIMIT},
};

/// What one can follow: there is a channel for each model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "snake_case")]
pub enum Channel {
    Posts,
    Users,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Posts, Self::Users];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::Users => "users",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Channel {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name).ok_or_else(|| {
            let name: String = name.chars().take(WORD_LIMIT).collect();
            format!("there is no channel {name:?}: this server knows posts and users")
        })
    }
}

/// Who is at the other end of a socket.
///
/// The id alone would not do: a stranger who finds it out could have its owner
/// excluded, who would then miss what the stranger does.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub username: Username,
    pub client_id: ClientId,
}

/// Everyone who follows something. This is only a handle. Clone it freely.
#[derive(Clone)]
pub struct Channels {
    directory: Arc<Mutex<Directory>>,
    outbox_size: usize,
}

#[derive(Default)]
struct Directory {
    last_id: u64,
    followers: BTreeMap<u64, Follower>,
}

struct Follower {
    identity: Identity,
    channels: BTreeSet<Channel>,
    outbox: Sender,
}

/// How many are connected, and how many of them follow each channel.
#[derive(Debug, PartialEq, Serialize)]
pub struct Stats {
    clients: usize,
    channels: BTreeMap<Channel, usize>,
}

/// One socket's place in the directory, which it gives up when this is dropped.
pub struct Subscription {
    id: u64,
    channels: Channels,
    /// What this client should hear. Its task must empty it.
    pub outbox: Outbox,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channels.lock().followers.remove(&self.id);
    }
}

impl Channels {
    pub fn new(outbox_size: usize) -> Self {
        Self { directory: Arc::default(), outbox_size }
    }

    /// Adds a client, and greets it. Whatever is announced from now on reaches it, and
    /// comes behind the greeting.
    pub fn connect(&self, identity: Identity, first: Option<Channel>) -> Subscription {
        // Whatever we do with slow clients in the chat: a table in which a change is
        // missing is wrong, so here it is better to hang up.
        let (sender, outbox) = outbox(self.outbox_size, SlowClient::Close);
        let channels = BTreeSet::from_iter(first);
        let greeting = ToFollower::connection(&identity.client_id, &channels).encode();
        let follower = Follower { identity, channels, outbox: sender };
        follower.outbox.send(greeting);

        let mut directory = self.lock();
        directory.last_id += 1;
        let id = directory.last_id;
        directory.followers.insert(id, follower);

        Subscription { id, channels: self.clone(), outbox }
    }

    /// Sends `message` to all who follow `channel`, but for the clients of `exclude`.
    /// Answers with how many that were.
    pub fn publish(
        &self,
        channel: Channel,
        message: &ToFollower,
        exclude: Option<&Identity>,
    ) -> usize {
        self.post(message, |follower| {
            follower.channels.contains(&channel) && Some(&follower.identity) != exclude
        })
    }

    /// Sends `message` to everybody, whatever they follow, once.
    pub fn publish_to_all(&self, message: &ToFollower) -> usize {
        self.post(message, |_| true)
    }

    /// Puts `message` in the outbox of everyone whom `wanted` picks.
    ///
    /// A client whose outbox is full loses its place. It will come back and load the
    /// list again, which is better than a list in which a change is missing.
    fn post(&self, message: &ToFollower, wanted: impl Fn(&Follower) -> bool) -> usize {
        let text = message.encode(); // Once, for all of them.
        let mut reached = 0;
        self.lock().followers.retain(|_, follower| {
            if !wanted(follower) {
                return true;
            }
            let sent = follower.outbox.send(text.clone());
            reached += usize::from(sent);
            sent
        });
        reached
    }

    pub fn stats(&self) -> Stats {
        let directory = self.lock();
        let count = |channel| {
            let follows = |follower: &&Follower| follower.channels.contains(&channel);
            (channel, directory.followers.values().filter(follows).count())
        };
        Stats {
            clients: directory.followers.len(),
            channels: Channel::ALL.map(count).into(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Directory> {
        // Nobody leaves the directory half changed.
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Follows a channel, too. Who follows it already is told the same, and hears
    /// everything once.
    pub fn subscribe(&self, channel: Channel) {
        self.change(|channels| {
            channels.insert(channel);
            ToFollower::Subscribed { channel, channels }
        });
    }

    pub fn unsubscribe(&self, channel: Channel) {
        self.change(|channels| {
            channels.remove(&channel);
            ToFollower::Unsubscribed { channel, channels }
        });
    }

    pub fn say_stats(&self) {
        self.say(&ToFollower::Stats(self.channels.stats()));
    }

    /// Says something to this client alone.
    pub fn say(&self, message: &ToFollower) {
        let mut directory = self.channels.lock();
        let follower = directory.followers.get(&self.id);
        if follower.is_some_and(|it| !it.outbox.send(message.encode())) {
            directory.followers.remove(&self.id);
        }
    }

    /// Changes what this client follows, and tells it. No event gets in between.
    fn change(&self, change: impl FnOnce(&mut BTreeSet<Channel>) -> ToFollower<'_>) {
        let mut directory = self.channels.lock();
        let Some(follower) = directory.followers.get_mut(&self.id) else { return };
        let answer = change(&mut follower.channels).encode();
        if !follower.outbox.send(answer) {
            directory.followers.remove(&self.id);
        }
    }
}
