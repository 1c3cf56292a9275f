//! What subscribers and the server send to each other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::to_value};

use super::{channel::Channel, database::ChangeNumber, repository::Model};
use crate::{
    names::{Username, normalized},
    session::json::now,
};

/// The longest id of a client, and the longest name of a custom event, in characters.
const NAME_LIMIT: usize = 40;

/// How many random bytes make an id that nobody guesses.
const ID_SIZE: usize = 16;

/// What a client may ask for on its socket.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum LiveRequest {
    Subscribe { channel: Channel },
    Unsubscribe { channel: Channel },
    GetStats,
    Ping,
}

/// How many clients are connected, and how many of them are subscribed to each channel.
#[derive(Debug, PartialEq, Serialize)]
pub struct Stats {
    pub clients: usize,
    pub channels: BTreeMap<Channel, usize>,
}

/// Who is at the other end of a socket.
///
/// The id alone is not enough: a stranger who finds it out could exclude its owner, who
/// would then miss the changes that the stranger makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub username: Username,
    pub client_id: ClientId,
}

/// What the server sends to subscribers.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent<'a> {
    Connection {
        client_id: &'a ClientId,
        channels: &'a BTreeSet<Channel>,
        timestamp: String,
    },
    Subscribed {
        channel: Channel,
        channels: &'a BTreeSet<Channel>,
    },
    Unsubscribed {
        channel: Channel,
        channels: &'a BTreeSet<Channel>,
    },
    Stats(Stats),
    Pong,
    Error {
        message: String,
    },
    Created(Change),
    Updated(Change),
    Deleted(Change),
    Custom {
        event: &'a EventName,
        channel: Channel,
        from: &'a Username,
        timestamp: String,
        data: &'a Value,
    },
    Announcement {
        message: &'a str,
        timestamp: String,
    },
}

/// Something happened to a row, which is now, or was last, like `data`.
#[derive(Serialize)]
pub struct Change {
    model: &'static str,
    channel: Channel,
    change: ChangeNumber,
    timestamp: String,
    data: Value,
}

impl Change {
    pub fn of<M: Model>(row: &M, change: ChangeNumber) -> Self {
        let data = to_value(row).expect("a row has a JSON form");
        Self { model: M::NAME, channel: M::CHANNEL, change, timestamp: now(), data }
    }
}

impl<'a> LiveEvent<'a> {
    pub fn connection(client_id: &'a ClientId, channels: &'a BTreeSet<Channel>) -> Self {
        Self::Connection { client_id, channels, timestamp: now() }
    }
}

/// What one window, app or program calls itself: 1 to 40 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct ClientId(String);

impl ClientId {
    /// A new one, at random.
    pub fn generate() -> Self {
        let mut bytes = [0; ID_SIZE];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl TryFrom<String> for ClientId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, NAME_LIMIT).map(Self)
    }
}

/// The name of a custom event: 1 to 40 letters, digits, `-` and `_`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct EventName(String);

impl TryFrom<String> for EventName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, NAME_LIMIT).map(Self)
    }
}
