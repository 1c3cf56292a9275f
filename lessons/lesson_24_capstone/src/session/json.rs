//! Messages in JSON: one object in each text frame.

use std::time::SystemTime;

use axum::extract::ws::Utf8Bytes;
use humantime::format_rfc3339_millis;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{error::Category, json};

use crate::{sentence::shortened, sizes::MAX_JSON_SIZE};

/// Reads one message, whose kind is in `field`.
///
/// The error is a sentence for the person who sent the message.
pub fn parse<T: DeserializeOwned>(text: &str, field: &str) -> Result<T, String> {
    if text.len() > MAX_JSON_SIZE {
        let length = text.len();
        return Err(format!("{length} bytes are too many: the limit is {MAX_JSON_SIZE}"));
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

/// The text of a frame. A clone of it is cheap: all clones share one buffer.
pub fn encode(message: &impl Serialize) -> Utf8Bytes {
    let mut text = serde_json::to_string(message).expect("these types have a JSON form");
    text.shrink_to_fit(); // It may wait in an outbox, and should need no more than its length.
    text.into()
}

/// The time, as in `2026-11-21T09:30:00.125Z` (RFC 3339, UTC).
pub fn now() -> String {
    format_rfc3339_millis(SystemTime::now()).to_string()
}
