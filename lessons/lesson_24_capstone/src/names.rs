//! Names: of people, of rooms, and of whatever else has one.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest name of a person, in characters.
const USERNAME_LIMIT: usize = 20;

/// The longest name of a room, in characters.
const ROOM_NAME_LIMIT: usize = 40;

/// The name of a person: 1 to 20 letters, digits, `-` and `_`.
///
/// Letters of every script are welcome, with their marks. Names that differ, but look
/// alike, are different names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, USERNAME_LIMIT).map(Self)
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

/// The name of a room: 1 to 40 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct RoomName(String);

impl TryFrom<String> for RoomName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        normalized(&text, ROOM_NAME_LIMIT).map(Self)
    }
}

impl RoomName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name in its one normal form, NFC, in which "é" is one character and not two.
///
/// The rule for every name: 1 to `limit` letters of any script with their marks, digits,
/// `-` and `_`. The error is a sentence for a person.
pub fn normalized(name: &str, limit: usize) -> Result<String, String> {
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
