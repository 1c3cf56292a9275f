//! Another right answer: a few names are found in a `Vec` as fast as in a set.

use std::{future::pending, time::Duration};

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
    names: Vec<Username>,
}

impl Room {
    pub fn starts_typing(&mut self, username: &Username) {
        if !self.typists.names.contains(username) {
            self.typists.names.push(username.clone());
            self.send_typing(username, true);
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        let before = self.typists.names.len();
        self.typists.names.retain(|name| name != username);
        if self.typists.names.len() < before {
            self.send_typing(username, false);
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        for username in self.typists.names.clone() {
            let typing = ServerMessage::Typing { username: &username, is_typing: true };
            self.send(newcomer, typing.encode());
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
        let Some(deadline) = self.deadline else {
            return pending().await;
        };
        sleep_until(deadline).await;
        self.deadline.take();
    }
}
