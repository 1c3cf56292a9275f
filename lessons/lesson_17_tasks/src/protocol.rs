//! What client and server may say to each other: one JSON object in each text frame.

use std::{fmt, time::SystemTime};

use axum::extract::ws::Utf8Bytes;
use humantime::format_rfc3339_millis;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{error::Category, json};

/// The longest message that we read, in bytes. The longest content fits, even if each
/// of its characters is escaped, as in `\ud83d\udc4b`.
pub const MESSAGE_LIMIT: usize = 32 * 1024;

/// How much of a word that we do not know we repeat, in characters.
pub const WORD_LIMIT: usize = 40;

/// How much of a long error we keep at either end, in characters.
const HALF_SENTENCE: usize = 100;

/// The longest content of a chat message, in characters.
const CONTENT_LIMIT: usize = 2_000;

/// The longest name of a person, in characters.
const USERNAME_LIMIT: usize = 20;

/// The longest name of a room, in characters.
const ROOM_NAME_LIMIT: usize = 40;

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromClient {
    Chat { content: Content },
    Ping,
}

/// What we say to clients.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToClient<'a> {
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
    /// So many messages came for this client, and it was too slow for them.
    Missed {
        count: usize,
    },
    Error {
        message: String,
    },
}

impl FromClient {
    /// Reads one message.
    ///
    /// The error is a sentence for the person who wrote the message.
    pub fn parse(text: &str) -> Result<Self, String> {
        read(text, "type")
    }
}

/// Reads one message, whose kind is in `field`. The error is a sentence for a person.
pub fn read<T: DeserializeOwned>(text: &str, field: &str) -> Result<T, String> {
    if text.len() > MESSAGE_LIMIT {
        let length = text.len();
        return Err(format!("{length} bytes are too many: the limit is {MESSAGE_LIMIT}"));
    }
    if !text.trim_start().starts_with('{') {
        let example = json!({ field: "ping" });
        return Err(format!("a message is a JSON object, such as {example}"));
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => shortened(&error.to_string()),
        _ => format!("this is not valid JSON: {error}"),
    })
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

impl ToClient<'_> {
    pub fn encode(&self) -> Utf8Bytes {
        encode(self)
    }
}

/// The text of a frame. A clone of it is cheap: all clones share one buffer.
pub fn encode(message: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(message).expect("these types have a JSON form").into()
}

/// The time, as in `2026-11-21T09:30:00.125Z` (RFC 3339, UTC).
pub fn now() -> String {
    format_rfc3339_millis(SystemTime::now()).to_string()
}

/// The name of a person: 1 to 20 letters, digits, `-` and `_`.
///
/// Letters of every script are welcome. Names that differ, but look alike, are
/// different names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check_name(&text, USERNAME_LIMIT).map(|()| Self(text))
    }
}

/// The name of a room: 1 to 40 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct RoomName(String);

impl TryFrom<String> for RoomName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check_name(&text, ROOM_NAME_LIMIT).map(|()| Self(text))
    }
}

/// The rule for every name: letters of any script, digits, `-` and `_`.
pub fn check_name(name: &str, limit: usize) -> Result<(), String> {
    let known = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if (1..=limit).contains(&name.chars().count()) && name.chars().all(known) {
        Ok(())
    } else {
        Err(format!("a name has 1 to {limit} letters, digits, - and _"))
    }
}

impl Username {
    pub fn as_str(&self) -> &str {
        &self.0
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

/// What somebody says: 1 to 2,000 characters, and no blanks around them.
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
