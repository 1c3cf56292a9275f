//! The protocol: every text frame is one JSON object with a `type`.

use std::{fmt, time::SystemTime};

use axum::extract::ws::Utf8Bytes;
use humantime::format_rfc3339_millis;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::error::Category;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest message that we read, in bytes. The longest content fits, even if each
/// of its characters is escaped, as in `\ud83d\udc4b`.
pub const MESSAGE_LIMIT: usize = 32 * 1024;

/// How much we keep of an error, in characters: it may repeat a word of the client.
const ERROR_LIMIT: usize = 200;

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
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    UserJoined { username: Username },
    UserLeft { username: Username },
    Chat { room: RoomName, from: Username, content: Content, timestamp: String },
    Pong,
    Error { message: String },
}

impl ClientMessage {
    pub fn parse(text: &str) -> Result<Self, String> {
        parse(text, r#"{"type":"ping"}"#)
    }
}

/// Reads one message of a client, of whatever protocol.
///
/// The error is a sentence for the person who sent the message. `example` is a good message,
/// for whoever sends something that is no JSON object.
pub fn parse<T: DeserializeOwned>(text: &str, example: &str) -> Result<T, String> {
    if text.len() > MESSAGE_LIMIT {
        let length = text.len();
        return Err(format!("{length} bytes are too many: the limit is {MESSAGE_LIMIT}"));
    }
    // Why look at the first character? serde also reads `["ping"]` as an enum.
    if !text.trim_start().starts_with('{') {
        return Err(format!("a message is a JSON object, such as {example}"));
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => shortened(&error.to_string()),
        _ => format!("this is not valid JSON: {error}"),
    })
}

/// Cuts out the middle of a sentence that is too long.
pub fn shortened(sentence: &str) -> String {
    let chars: Vec<char> = sentence.chars().collect();
    if chars.len() <= ERROR_LIMIT {
        return sentence.into();
    }
    let (head, rest) = chars.split_at(ERROR_LIMIT / 2);
    let (_, tail) = rest.split_at(rest.len() - ERROR_LIMIT / 2);
    format!("{} … {}", String::from_iter(head), String::from_iter(tail))
}

/// The text of a frame. A clone of it is cheap: all clones share one buffer.
///
/// Any type with a JSON form will do. It panics for a type that has none, such as a map whose
/// keys are no texts.
pub fn encode(message: &impl Serialize) -> Utf8Bytes {
    let mut text = serde_json::to_string(message).expect("these types have a JSON form");
    text.shrink_to_fit(); // It may wait in an outbox, and should need no more than its length.
    text.into()
}

/// The time, as in `2026-11-21T09:30:00.125Z` (RFC 3339, UTC).
pub fn now() -> String {
    format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The name of a person: 1 to 20 letters, digits, `-` and `_`.
///
/// Letters of every script are welcome, with their marks. Names that differ, but look
/// alike, are different names. `try_from` makes one of a `String`; its error is a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, USERNAME_LIMIT).map(Self)
    }
}

/// The name of a room: 1 to 40 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct RoomName(String);

impl TryFrom<String> for RoomName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, ROOM_NAME_LIMIT).map(Self)
    }
}

impl Username {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoomName {
    pub fn as_str(&self) -> &str {
        &self.0
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
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Content(String);

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

impl Content {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For those who keep it elsewhere, as in a database.
impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.0
    }
}
