//! Another right answer: one `Sleep`, which each key puts off.
//!
//! It needs no second look at the clock, but a `Pin<Box<…>>`: a future that has begun must
//! stay where it is.

use std::{collections::HashSet, future::pending, pin::Pin, time::Duration};

use tokio::time::{Instant, Sleep, sleep};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Somebody who pauses for so long does not count as typing any more.
const PAUSE: Duration = Duration::from_secs(3);

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
    sleep: Option<Pin<Box<Sleep>>>,
}

impl TypingTimer {
    pub fn restart(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + PAUSE),
            None => self.sleep = Some(Box::pin(sleep(PAUSE))),
        }
    }

    pub async fn runs_out(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.await,
            None => pending().await,
        }
        self.sleep = None;
    }
}
