//! What a message of the stream is about: the chats of a room, or whether somebody is in it.

use std::fmt::{self, Write};

use lesson_08_auth::{RoomName, Username};

/// What the stream keeps. A `*` stands for any token.
pub const SUBJECTS: [&str; 2] = ["room.*.chat", MEMBERS];
pub const MEMBERS: &str = "room.*.member.*";

/// A message of the stream is about one subject, which consists of tokens with dots between
/// them.
pub enum Subject {
    /// The chats of a room.
    Chat(RoomName),
    /// Whether somebody is in a room. The last message has the answer.
    Member(RoomName, Username),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(room) => write!(f, "room.{}.chat", token(room.as_str())),
            Self::Member(room, username) => {
                let (room, username) = (token(room.as_str()), token(username.as_str()));
                write!(f, "room.{room}.member.{username}")
            }
        }
    }
}

impl Subject {
    /// `None` for a subject that is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split('.').collect::<Vec<_>>()[..] {
            ["room", room, "chat"] => Some(Self::Chat(name(room)?)),
            ["room", room, "member", username] => {
                Some(Self::Member(name(room)?, name(username)?))
            }
            _ => None,
        }
    }
}

/// A name as one token: the letter x, and then its bytes in hex.
///
/// Why? People choose names. A room named `*` or `>` would be all rooms, and one named `a.b`
/// two tokens.
pub fn token(name: &str) -> String {
    name.bytes().fold("x".into(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}"); // Writing to a String cannot fail.
        token
    })
}

fn name<T: TryFrom<String>>(token: &str) -> Option<T> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> =
        token.strip_prefix('x')?.as_bytes().chunks(2).map(byte).collect();
    T::try_from(String::from_utf8(bytes?).ok()?).ok()
}
