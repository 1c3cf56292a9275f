//! The protocol of the course's chats, seen from the client.

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Message;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage<'a> {
    Chat { id: &'a str, content: &'a str },
    Ping,
}

impl ClientMessage<'_> {
    pub fn encode(&self) -> Message {
        serde_json::to_string(self).expect("these types have a JSON form").into()
    }
}

/// What a server sends, as far as we use it: serde skips fields that have no name here.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    Welcome { log: String, seq: u64 },
    Chat { from: String, content: String, timestamp: String, seq: Option<u64> },
    Gap { next: u64 },
    Ack { id: String },
    Rejected { id: String, message: String },
    UserJoined { username: String },
    UserLeft { username: String },
    Pong,
    Error { message: String },
}
