//! What subscribers and the server send to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::to_value};

use super::{channel::Channel, repository::Model};
use crate::{
    database::Version,
    names::{Username, normalized},
    session::json::now,
    text::trimmed,
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
    Send { channel: Channel, message: MessageText },
    GetStats,
    Ping,
}

/// How many clients are connected, and how many of them are subscribed to each channel.
#[derive(Debug, PartialEq, Serialize)]
pub struct Stats {
    pub total_channels: usize,
    pub channels: BTreeMap<Channel, usize>,
    pub total_connections: usize,
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
        message: String,
        channel: Option<Channel>,
        client_id: &'a ClientId,
        timestamp: String,
    },
    Subscribed {
        channel: Channel,
    },
    Unsubscribed {
        channel: Channel,
    },
    Stats {
        data: Stats,
    },
    Pong,
    Error {
        message: String,
    },
    Created(Change),
    Updated(Change),
    Deleted(Change),
    Message {
        channel: Channel,
        message: &'a MessageText,
        from: &'a Username,
        timestamp: String,
    },
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

/// Something has happened to a row. `data` is how it is now, or the id of one that is gone.
#[derive(Serialize)]
pub struct Change {
    model: &'static str,
    channel: Channel,
    version: Version,
    timestamp: String,
    data: Value,
}

impl Change {
    fn new<M: Model>(version: Version, data: Value) -> Self {
        let (model, channel) = (M::TABLE, M::CHANNEL);
        Self { model, channel, version, timestamp: now(), data }
    }

    fn of<M: Model>(version: Version, row: &M) -> Self {
        Self::new::<M>(version, to_value(row).expect("a row has a JSON form"))
    }
}

impl LiveEvent<'_> {
    pub fn created<M: Model>(version: Version, row: &M) -> Self {
        Self::Created(Change::of(version, row))
    }

    pub fn updated<M: Model>(version: Version, row: &M) -> Self {
        Self::Updated(Change::of(version, row))
    }

    pub fn deleted<M: Model>(version: Version, row: &M) -> Self {
        Self::Deleted(Change::new::<M>(version, json!({ "id": row.id() })))
    }
}

impl<'a> LiveEvent<'a> {
    pub fn connection(client_id: &'a ClientId, channel: Option<Channel>) -> Self {
        let message = match channel {
            Some(channel) => format!("Connected to channel: {channel}"),
            None => "Connected".into(),
        };
        Self::Connection { message, channel, client_id, timestamp: now() }
    }
}

/// The text of a message to a channel: 1 to 2,000 characters, and no blanks around them.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct MessageText(String);

impl TryFrom<String> for MessageText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        trimmed("message", &text).map(Self)
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
