//! What a client calls its message, so that it can send it again.

use serde::{Deserialize, Serialize};

/// The longest id of a message, in characters. A UUID has 36.
const LIMIT: usize = 64;

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
        if (1..=LIMIT).contains(&text.len()) && text.chars().all(is_good) {
            Ok(Self(text))
        } else {
            Err(format!("an id has 1 to {LIMIT} letters of ASCII, digits, - and _"))
        }
    }
}

impl MessageId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
