//! Wrong: first the chat, then the end.
//!
//! Refused by step_8_a_chat_ends_it_at_once:
//! "First Ana should hear that he stopped."

use std::{collections::HashSet, future::pending, time::Duration};

use tokio::time::{Instant, sleep_until};

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
///
/// Why a deadline, and not a task that sleeps? There is one for each connection, however
/// many keys are pressed; a new one replaces the old; and it ends with the connection.
#[derive(Default)]
pub struct TypingTimer {
    deadline: Option<Instant>,
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.deadline = Some(Instant::now() + PAUSE);
    }

    /// Waits until the time has run out. Without a deadline, for ever.
    ///
    /// To drop this future and to call it again loses nothing: the deadline stays.
    pub async fn runs_out(&mut self) {
        match self.deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
        self.deadline = None; // Or the next call would return at once, and the next.
    }
}
