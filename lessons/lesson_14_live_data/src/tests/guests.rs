//! People who have signed in, for the tests of this lesson and of those that follow.

use crate::{protocol::Username, tokens::Tokens};

pub const SECRET: &[u8] = b"a secret for the tests, 32 bytes or more";

/// Where somebody who has signed in finds a room.
pub fn path(room: &str, name: &str) -> String {
    format!("/ws/chat/{room}?token={}", token(name))
}

pub fn token(name: &str) -> String {
    Tokens::new(SECRET).issue(username(name))
}

pub fn username(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}
