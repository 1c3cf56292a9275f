//! What followers and server say to each other.

use std::collections::BTreeSet;

use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::to_value};

use crate::{
    channels::{Channel, Stats},
    database::ChangeNumber,
    protocol::{Username, check_name, encode, now, read},
    records::Record,
};

/// The longest id of a client, and the longest name of a custom event, in characters.
const NAME_LIMIT: usize = 40;

/// How many random bytes make an id that nobody guesses.
const ID_SIZE: usize = 16;

/// What a client may ask for on its socket.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum FromFollower {
    Subscribe { channel: Channel },
    Unsubscribe { channel: Channel },
    GetStats,
    Ping,
}

impl FromFollower {
    /// Reads one message. The error is a sentence for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        read(text, "action")
    }
}

/// What we say to those who follow.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToFollower<'a> {
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

/// Something happened to a record, which is now, or was last, like `data`.
#[derive(Serialize)]
pub struct Change {
    model: &'static str,
    channel: Channel,
    change: ChangeNumber,
    timestamp: String,
    data: Value,
}

impl Change {
    pub fn of<R: Record>(record: &R, change: ChangeNumber) -> Self {
        let data = to_value(record).expect("a record has a JSON form");
        Self { model: R::NAME, channel: R::CHANNEL, change, timestamp: now(), data }
    }
}

impl<'a> ToFollower<'a> {
    pub fn connection(client_id: &'a ClientId, channels: &'a BTreeSet<Channel>) -> Self {
        Self::Connection { client_id, channels, timestamp: now() }
    }

    pub fn encode(&self) -> Utf8Bytes {
        encode(self)
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
        check_name(&text, NAME_LIMIT).map(|()| Self(text))
    }
}

/// The name of a custom event: 1 to 40 letters, digits, `-` and `_`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct EventName(String);

impl TryFrom<String> for EventName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check_name(&text, NAME_LIMIT).map(|()| Self(text))
    }
}
