//! The protocol: every text frame is one JSON object with a `type`.
//!
//! This is lesson 07's file, and the messages that the exercises need.

use std::{fmt, ops::Deref, time::SystemTime};

use axum::extract::ws::Utf8Bytes;
use humantime::format_rfc3339_millis;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest message that we read, in bytes. The longest content fits, even if each
/// of its characters is escaped, as in `\ud83d\udc4b`.
pub const MESSAGE_LIMIT: usize = 32 * 1024;

/// How much of a long error we keep at either end, in characters.
const HALF_SENTENCE: usize = 100;

/// The longest content of a chat message, in characters.
const CONTENT_LIMIT: usize = 2_000;

/// The longest name of a person, in characters.
const USERNAME_LIMIT: usize = 20;

/// The longest name of a room, in characters.
const ROOM_NAME_LIMIT: usize = 40;

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Chat { content: Content },
    Ping,
    Private { to: Username, content: Content },
    Typing,
    Resume { after: u64 },
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
    Chat(&'a Chat),
    Pong,
    Error {
        message: String,
    },
    Private {
        from: &'a Username,
        to: &'a Username,
        content: &'a Content,
        timestamp: String,
    },
    Typing {
        username: &'a Username,
        is_typing: bool,
    },
    OnlineUsers {
        users: Vec<&'a Username>,
    },
    History {
        messages: Vec<ServerMessage<'a>>,
    },
    Resumed {
        complete: bool,
        messages: Vec<ServerMessage<'a>>,
    },
}

/// A chat message, as a room sends it and keeps it.
#[derive(Clone, Serialize)]
pub struct Chat {
    pub room: RoomName,
    pub from: Username,
    pub content: Content,
    pub timestamp: String,
    /// Its number in the room, if chats have numbers here: exercise 7 gives them. Without
    /// one, the message has no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

impl ClientMessage {
    /// Reads one message.
    ///
    /// The error is a sentence for the person who sent the message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MESSAGE_LIMIT {
            let length = text.len();
            return Err(format!(
                "{length} bytes are too many: the limit is {MESSAGE_LIMIT}"
            ));
        }
        // Why look at the first character? serde also reads `["ping"]` as this enum.
        if !text.trim_start().starts_with('{') {
            return Err(r#"a message is a JSON object, such as {"type":"ping"}"#.into());
        }
        serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Data => shortened(&error.to_string()),
            _ => format!("this is not valid JSON: {error}"),
        })
    }
}

/// Cuts out the middle of a sentence that is too long: it repeats a word of the client.
fn shortened(sentence: &str) -> String {
    let length = sentence.chars().count();
    if length <= 2 * HALF_SENTENCE {
        return sentence.into();
    }
    let head: String = sentence.chars().take(HALF_SENTENCE).collect();
    let tail: String = sentence.chars().skip(length - HALF_SENTENCE).collect();
    format!("{head} … {tail}")
}

impl ServerMessage<'_> {
    /// The text of the frame. A clone of it is cheap: all clones share one buffer.
    pub fn encode(&self) -> Utf8Bytes {
        serde_json::to_string(self).expect("these types have a JSON form").into()
    }
}

/// The time, as in `2026-11-21T09:30:00.125Z` (RFC 3339, UTC).
pub fn now() -> String {
    format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The name of a person: 1 to 20 letters, digits, `-` and `_`.
///
/// Letters of every script are welcome, with their marks. Names that differ, but look
/// alike, are different names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, USERNAME_LIMIT).map(Self)
    }
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

/// A name in its one normal form, NFC, in which "é" is one character and not two.
///
/// Why? A keyboard may send either, and both should be the same name.
fn normalized(name: &str, limit: usize) -> Result<String, String> {
    let name: String = name.nfc().collect();
    let mut after_letter = false; // Marks, such as vowel signs, belong to a letter.
    let is_good = |c: char| {
        let is_letter = c.is_alphanumeric() && !is_combining_mark(c);
        let is_mark = after_letter && is_combining_mark(c);
        after_letter = is_letter || is_mark;
        is_letter || is_mark || c == '-' || c == '_'
    };

    if (1..=limit).contains(&name.chars().count()) && name.chars().all(is_good) {
        Ok(name)
    } else {
        Err(format!("a name has 1 to {limit} letters, digits, - and _"))
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text of a chat message: 1 to 2,000 characters, and no blanks around them.
///
/// It can be read like any `str`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Content(String);

impl Deref for Content {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Content {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        match text.chars().count() {
            0 => Err("content is empty".into()),
            1..=CONTENT_LIMIT => Ok(Self(text.into())),
            length => Err(format!(
                "content has {length} characters, the limit is {CONTENT_LIMIT}"
            )),
        }
    }
}
