//! Wrong: who has typed once is remembered for as long as the room lasts.
//!
//! Refused by step_14_nothing_is_kept_in_memory:
//! "Who has stopped typing should be forgotten."

use std::{collections::HashMap, future::pending, time::Duration};

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
    names: HashMap<Username, bool>,
}

impl Room {
    pub fn starts_typing(&mut self, username: &Username) {
        if self.typists.names.insert(username.clone(), true) != Some(true) {
            self.send_typing(username, true);
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        if self.typists.names.get_mut(username).is_some_and(std::mem::take) {
            self.send_typing(username, false);
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        for (username, _) in
            self.typists.names.clone().into_iter().filter(|typist| typist.1)
        {
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
