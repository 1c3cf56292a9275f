//! People who have signed in, for the tests.

use std::num::{NonZeroU32, NonZeroUsize};

use probe::{ANY, ONE_MINUTE, rooms};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    auth::{Auth, CurrentUser, Role},
    config::Config,
    names::Username,
};

pub const SECRET: &str = "a secret for the tests, 32 bytes or more";

/// The configuration without any variable, but with a secret that the tests know.
pub fn config() -> Config {
    Config { jwt_secret: Some(SECRET.into()), ..Config::default() }
}

/// Where somebody who has signed in connects to a room.
pub fn path(room: &str, name: &str) -> String {
    format!("/ws/chat/{room}?token={}", token(name))
}

/// What everybody in the room "rust" receives when somebody says something, whatever the
/// number.
pub fn chat_from(name: &str, content: &str) -> Value {
    let mut chat = rooms::chat_from(name, content);
    chat["seq"] = json!(ANY);
    chat
}

pub fn token(name: &str) -> String {
    Auth::new(&config()).expect("a good configuration").issue(username(name))
}

pub fn username(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}

pub fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("at least 1")
}

pub fn so_many(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("at least 1")
}

/// Somebody who has signed in, as the handlers get them.
pub fn user(name: &str) -> CurrentUser {
    let username = username(name);
    CurrentUser { username, role: Role::User, expires: Instant::now() + ONE_MINUTE }
}
