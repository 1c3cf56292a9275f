//! Wrong: each letter starts a timer of its own, and the first to end ends it all.
//!
//! Refused by step_6_typing_on_extends_it:
//! "So he types until 5 s, not until 3 s."

use std::{collections::HashSet, future::pending, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Somebody who pauses for so long does not count as typing any more.
const PAUSE: Duration = Duration::from_secs(3);

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
pub struct TypingTimer {
    timers: JoinSet<()>,
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.timers.spawn(sleep(PAUSE));
    }

    pub async fn runs_out(&mut self) {
        if self.timers.join_next().await.is_none() {
            pending().await
        }
    }
}
