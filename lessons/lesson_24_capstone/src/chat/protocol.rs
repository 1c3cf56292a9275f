//! The protocol of the chat: every text frame is one JSON object with a `type`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    delivery::{LogEntry, MessageId, Seq},
    names::Username,
    session::json::parse,
    text::Content,
};

/// What a client may send. A chat with an id is acknowledged, or rejected.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Chat { id: Option<MessageId>, content: Content },
    Ping,
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// The first message to a client that resumes: which log this is, and its last number.
    Welcome {
        log: &'a str,
        seq: Seq,
    },
    UserJoined {
        username: &'a Username,
    },
    UserLeft {
        username: &'a Username,
    },
    Chat(&'a LogEntry),
    /// Chats are missing: what was before the number `next` is no longer kept.
    Gap {
        next: Seq,
    },
    /// The chat with this id is durable, and has this number.
    Ack {
        id: MessageId,
        seq: Seq,
    },
    /// The chat with this id will never be accepted. To send it again is of no use.
    Rejected {
        id: MessageId,
        message: String,
    },
    Pong,
    Error {
        message: String,
    },
}

impl ClientMessage {
    /// The error is the answer to whoever sent the message.
    pub fn parse(text: &str) -> Result<Self, ServerMessage<'static>> {
        parse(text, "type").map_err(|message| {
            // A client sends a chat again until it is acknowledged or rejected. So if there
            // is an id, the answer must have it.
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            match MessageId::deserialize(&value["id"]) {
                Ok(id) => ServerMessage::Rejected { id, message },
                Err(_) => ServerMessage::Error { message },
            }
        })
    }
}
