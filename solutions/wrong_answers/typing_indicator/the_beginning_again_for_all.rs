//! Wrong: when somebody comes in, everybody hears again who is typing.
//!
//! Refused by step_12_a_newcomer_hears_who_is_typing:
//! "Ana has known of Ben before."

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
    pub fn starts_typing(&mut self, username: &Username) {
        if self.typists.names.insert(username.clone()) {
            self.send_typing(username, true);
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        if self.typists.names.remove(username) {
            self.send_typing(username, false);
        }
    }

    pub fn send_typists(&mut self, _newcomer: &Username) {
        for username in self.typists.names.clone() {
            let typing = ServerMessage::Typing { username: &username, is_typing: true };
            self.broadcast(typing.encode(), Some(&username));
        }
    }

    fn send_typing(&mut self, username: &Username, is_typing: bool) {
        let typing = ServerMessage::Typing { username, is_typing };
        self.broadcast(typing.encode(), Some(username));
    }
}

#[derive(Default)]
pub struct TypingTimer {
    deadline: Option<Instant>,
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.deadline = Some(Instant::now() + PAUSE);
    }

    pub async fn runs_out(&mut self) {
        match self.deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
        self.deadline = None;
    }
}
