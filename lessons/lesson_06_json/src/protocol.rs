//! What client and server may say to each other: one JSON object in each text frame.

use std::{fmt, time::SystemTime};

use axum::extract::ws::Utf8Bytes;
use humantime::format_rfc3339_millis;
use serde::{Deserialize, Serialize};

/// The longest message that we read, in bytes. The longest content fits, even if each
/// of its characters is escaped, as in `\ud83d\udc4b`.
pub const MESSAGE_LIMIT: usize = 32 * 1024;

/// How much of a word that we do not know we repeat, in characters.
const WORD_LIMIT: usize = 40;

/// The longest content of a chat message, in characters.
const CONTENT_LIMIT: usize = 2_000;

/// The longest name of a person, in characters.
const USERNAME_LIMIT: usize = 20;

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
    UserJoined { username: &'a Username },
    UserLeft { username: &'a Username },
    Chat { from: &'a Username, content: &'a Content, timestamp: String },
    Pong,
    Error { message: String },
}

impl FromClient {
    /// Reads one message.
    ///
    /// The error is a sentence for the person who wrote the message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MESSAGE_LIMIT {
            let length = text.len();
            return Err(format!(
                "{length} bytes are too many: the limit is {MESSAGE_LIMIT}"
            ));
        }
        if !text.trim_start().starts_with('{') {
            return Err(r#"a message is a JSON object, such as {"type":"ping"}"#.into());
        }
        serde_json::from_str(text).map_err(|error| explain(text, &error))
    }
}

/// Says what is wrong with `text`, which serde could not read.
fn explain(text: &str, error: &serde_json::Error) -> String {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
    }

    match serde_json::from_str(text) {
        Ok(Tagged { r#type }) if !["chat", "ping"].contains(&r#type.as_str()) => {
            let r#type: String = r#type.chars().take(WORD_LIMIT).collect();
            format!("unknown message type {type:?}: this server knows chat and ping")
        }
        _ if error.is_data() => error.to_string(),
        _ => format!("this is not valid JSON: {error}"),
    }
}

impl ToClient<'_> {
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
/// Letters of every script are welcome. Names that differ, but look alike, are
/// different names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if (1..=USERNAME_LIMIT).contains(&text.chars().count()) && text.chars().all(known)
        {
            Ok(Self(text))
        } else {
            Err(format!("a name has 1 to {USERNAME_LIMIT} letters, digits, - and _"))
        }
    }
}

impl fmt::Display for Username {
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
