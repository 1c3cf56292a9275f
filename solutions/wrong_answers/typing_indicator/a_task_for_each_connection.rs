//! Wrong: each connection has a task for its timer, and the task never ends.
//!
//! Refused by step_13_no_task_stays_behind:
//! "Each should end with its connection"

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    spawn,
    sync::Notify,
    time::{Instant, timeout_at},
};

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

pub struct TypingTimer {
    pressed: Arc<Notify>,
    over: Arc<Notify>,
}

impl Default for TypingTimer {
    fn default() -> Self {
        let (pressed, over) = <(Arc<Notify>, Arc<Notify>)>::default();
        let timer = Self { pressed: pressed.clone(), over: over.clone() };
        spawn(async move {
            loop {
                pressed.notified().await;
                let mut deadline = Instant::now() + PAUSE;
                while timeout_at(deadline, pressed.notified()).await.is_ok() {
                    deadline = Instant::now() + PAUSE;
                }
                over.notify_one();
            }
        });
        timer
    }
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.pressed.notify_one();
    }

    pub async fn runs_out(&mut self) {
        self.over.notified().await;
    }
}
