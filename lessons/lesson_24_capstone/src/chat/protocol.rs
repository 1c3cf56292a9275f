//! The protocol of the chat: every text frame is one JSON object with a `type`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    names::{Username, normalized},
    text::trimmed,
};

/// The longest name of a room, in characters.
const ROOM_NAME_LIMIT: usize = 40;

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Chat { content: Content },
    Ping,
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    UserJoined {
        username: &'a Username,
    },
    UserLeft {
        username: &'a Username,
    },
    Chat {
        room: &'a RoomName,
        from: &'a Username,
        content: &'a Content,
        timestamp: String,
    },
    Pong,
    Error {
        message: String,
    },
}

/// The name of a room: 1 to 40 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct RoomName(String);

impl TryFrom<String> for RoomName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, ROOM_NAME_LIMIT).map(Self)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text of a chat message: 1 to 2,000 characters, and no blanks around them.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Content(String);

impl TryFrom<String> for Content {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        trimmed("content", &text).map(Self)
    }
}
