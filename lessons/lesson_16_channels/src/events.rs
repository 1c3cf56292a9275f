//! What clients and the server send to each other over the socket.

use std::collections::BTreeMap;

use lesson_08_auth::{Content, RoomName, Username, now};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::channels::Channel;

/// What a client may send. Anything else is answered with an `Error`.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum LiveRequest {
    Subscribe { channel: Channel },
    Unsubscribe { channel: Channel },
    Send { channel: Channel, message: Content },
    GetStats,
    Ping,
}

/// What the server sends, beside the changes of the tables.
///
/// Why references? It is made into text at once, so it needs nothing of its own.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent<'a> {
    Connection { message: String, channel: Option<Channel>, client_id: &'a Name },
    Subscribed { channel: Channel },
    Unsubscribed { channel: Channel },
    Message { message: &'a Content, from: &'a Username },
    Custom { event: &'a Name, from: &'a Username, data: &'a Option<Box<RawValue>> },
    Announcement { message: &'a str },
    Stats { data: Stats },
    Pong,
    Error { message: String },
}

/// How many clients are connected, and how many of them are subscribed to each channel.
///
/// A client may have several channels or none, so the counts need not add up to the total.
#[derive(Serialize)]
pub struct Stats {
    pub total_channels: usize,
    pub channels: BTreeMap<Channel, usize>,
    pub total_connections: usize,
}

/// An event, on which channel it is, and when it was published.
#[derive(Serialize)]
pub struct Envelope<T> {
    #[serde(flatten)]
    event: T,
    /// `None` if it is for clients of all channels, or for one client.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Channel>,
    timestamp: String,
}

impl<T> Envelope<T> {
    pub fn new(channel: Option<Channel>, event: T) -> Self {
        Self { event, channel, timestamp: now() }
    }
}

/// Who is at the other end of a socket.
///
/// Why not the id alone? A stranger who finds it out could exclude its owner, who would
/// then miss what the stranger changes.
#[derive(PartialEq)]
pub struct Identity {
    pub username: Username,
    pub client_id: Name,
}

/// What a client calls itself, or an event. The rule is that for the name of a room: 1 to 40
/// letters, digits, `-` and `_`.
pub type Name = RoomName;

/// A name at random, for a client that brings none: with 128 bits, no two are the same.
pub fn random_name() -> Name {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    let name = format!("{:032x}", u128::from_ne_bytes(bytes));
    Name::try_from(name).expect("32 digits and letters are a name")
}
