//! Wrong: the sleep begins anew with each turn of the loop, whoever caused it.
//!
//! Refused by step_7_others_may_talk_meanwhile:
//! "What Ana says at 1 s and 2 s puts nothing off"

use std::{collections::HashSet, future::pending, time::Duration};

use tokio::time::sleep;

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

/// When one client's typing runs out.
#[derive(Default)]
pub struct TypingTimer {
    is_typing: bool,
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.is_typing = true;
    }

    pub async fn runs_out(&mut self) {
        if self.is_typing {
            sleep(PAUSE).await;
        } else {
            pending().await
        }
        self.is_typing = false;
    }
}
