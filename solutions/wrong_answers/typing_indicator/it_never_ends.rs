//! Wrong: nobody looks at the clock, so whoever has pressed a key types until they speak.
//!
//! Refused by step_3_it_ends_after_three_seconds:
//! "It counts for 3 s on tokio's clock"

use std::{collections::HashSet, future::pending};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Who is typing in a room.
#[derive(Default)]
pub struct Typists {
    names: HashSet<Username>,
}

impl Room {
    /// `username` has pressed a key. The others are told of the first one.
    pub fn starts_typing(&mut self, username: &Username) {
        if self.typists.names.insert(username.clone()) {
            let typing = ServerMessage::Typing { username, is_typing: true };
            self.broadcast(typing.encode(), Some(username));
        }
    }

    /// `username` has paused, or is about to speak, or is gone.
    pub fn stops_typing(&mut self, username: &Username) {
        if self.typists.names.remove(username) {
            let typing = ServerMessage::Typing { username, is_typing: false };
            self.broadcast(typing.encode(), Some(username));
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        for username in self.typists.names.clone() {
            let typing = ServerMessage::Typing { username: &username, is_typing: true };
            self.send(newcomer, typing.encode());
        }
    }
}

#[derive(Default)]
pub struct TypingTimer {}

impl TypingTimer {
    pub fn restart(&mut self) {}

    pub async fn runs_out(&mut self) {
        pending().await
    }
}
