//! Wrong: an interval ticks at once, so the end comes with the beginning.
//!
//! Refused by step_3_it_ends_after_three_seconds:
//! "Ana should hear nothing for 2.9 s"

use std::{collections::HashSet, future::pending, time::Duration};

use tokio::time::{Interval, interval};

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
    interval: Option<Interval>,
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.interval = Some(interval(PAUSE));
    }

    pub async fn runs_out(&mut self) {
        match &mut self.interval {
            Some(interval) => interval.tick().await,
            None => pending().await,
        };
        self.interval = None;
    }
}
