//! Messages in JSON: one object in each text frame.

use std::time::SystemTime;

use axum::extract::ws::Utf8Bytes;
use humantime::format_rfc3339_millis;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{error::Category, json};

/// The longest message that we read, in bytes. The longest content of a chat fits, even if
/// each of its characters is escaped, as in `\ud83d\udc4b`.
pub const MESSAGE_LIMIT: usize = 32 * 1024;

/// How much we keep of an error, in characters: it may repeat a word of the client.
const ERROR_LIMIT: usize = 200;

/// Reads one message, whose kind is in `field`.
///
/// The error is a sentence for the person who sent the message.
pub fn parse<T: DeserializeOwned>(text: &str, field: &str) -> Result<T, String> {
    if text.len() > MESSAGE_LIMIT {
        let length = text.len();
        return Err(format!("{length} bytes are too many: the limit is {MESSAGE_LIMIT}"));
    }
    // Why look at the first character? serde also reads `["ping"]` as an enum.
    if !text.trim_start().starts_with('{') {
        let example = json!({ field: "ping" });
        return Err(format!("a message is a JSON object, such as {example}"));
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => shortened(&error.to_string()),
        _ => format!("this is not valid JSON: {error}"),
    })
}

/// Cuts out the middle of a sentence that is too long.
fn shortened(sentence: &str) -> String {
    let chars: Vec<char> = sentence.chars().collect();
    if chars.len() <= ERROR_LIMIT {
        return sentence.into();
    }
    let (head, rest) = chars.split_at(ERROR_LIMIT / 2);
    let (_, tail) = rest.split_at(rest.len() - ERROR_LIMIT / 2);
    format!("{} … {}", String::from_iter(head), String::from_iter(tail))
}

/// The text of a frame. A clone of it is cheap: all clones share one buffer.
pub fn encode(message: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(message).expect("these types have a JSON form").into()
}

/// The time, as in `2026-11-21T09:30:00.125Z` (RFC 3339, UTC).
pub fn now() -> String {
    format_rfc3339_millis(SystemTime::now()).to_string()
}
