//! Wrong: while one person types, nobody else is announced.
//!
//! Refused by step_10_two_may_type_at_once:
//! "meanwhile Cem begins to type, too."

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
    name: Option<Username>,
}

impl Room {
    pub fn starts_typing(&mut self, username: &Username) {
        if self.typists.name.is_none() {
            self.typists.name = Some(username.clone());
            self.send_typing(username, true);
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        if self.typists.name.as_ref() == Some(username) {
            self.typists.name = None;
            self.send_typing(username, false);
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        if let Some(username) = self.typists.name.clone() {
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
        match self.deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
        self.deadline = None;
    }
}
