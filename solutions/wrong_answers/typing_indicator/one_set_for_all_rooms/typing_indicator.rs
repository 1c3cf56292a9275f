//! Wrong: all rooms share one set, so who types in one room is not announced in another.
//!
//! Refused by step_2_nobody_else_hears_it:
//! "now another Ben in the room tea"

use std::{
    collections::HashSet,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Somebody who pauses for so long does not count as typing any more.
const PAUSE: Duration = Duration::from_secs(3);

/// Who is typing. All clones share the names.
#[derive(Clone, Default)]
pub struct Typists {
    names: Arc<Mutex<HashSet<Username>>>,
}

impl Typists {
    fn lock(&self) -> MutexGuard<'_, HashSet<Username>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    pub fn starts_typing(&mut self, username: &Username) {
        let is_new = self.typists.lock().insert(username.clone());
        if is_new {
            self.send_typing(username, true);
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        let was_there = self.typists.lock().remove(username);
        if was_there {
            self.send_typing(username, false);
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        let names = self.typists.lock().clone();
        for username in names {
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
