//! The text of a message, in the chat and on a channel.

use serde::{Deserialize, Serialize};

/// How long it may be, in characters.
const LIMIT: usize = 2_000;

/// The text without the blanks around it: 1 to 2,000 characters. `field` is where a client
/// has it, for the sentence that is the error.
pub fn trimmed(field: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("{field} is empty")),
        1..=LIMIT => Ok(text.into()),
        length => Err(format!("{field} has {length} characters, the limit is {LIMIT}")),
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

impl Content {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
