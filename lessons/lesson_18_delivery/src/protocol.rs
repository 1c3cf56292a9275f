//! The protocol of lesson 08, and what makes sure that nothing is lost.

use lesson_08_auth::{Content, parse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::log::{LogEntry, Seq};

/// The longest id of a message, in characters. A UUID has 36.
const ID_LIMIT: usize = 64;

/// What a client may send. A chat with an id is acknowledged, or rejected.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Chat { id: Option<MessageId>, content: Content },
    Ping,
}

/// What the server sends, beside `user_joined` and `user_left`, which are as in lesson 08.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// The first message to a client that resumes: which log this is, and its last number.
    Welcome {
        log: &'a str,
        seq: Seq,
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
        parse(text, r#"{"type":"ping"}"#).map_err(|message| {
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

/// What a client calls its message: 1 to 64 letters of ASCII, digits, `-` and `_`.
///
/// It tells the messages of one sender apart. Those of others may have the same id.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct MessageId(String);

impl TryFrom<String> for MessageId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=ID_LIMIT).contains(&text.len()) && text.chars().all(is_good) {
            Ok(Self(text))
        } else {
            Err(format!("an id has 1 to {ID_LIMIT} letters of ASCII, digits, - and _"))
        }
    }
}

impl MessageId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
