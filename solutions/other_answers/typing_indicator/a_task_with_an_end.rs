//! Another right answer: a task for each connection keeps the time, and ends with it.
//!
//! It ends because `pressed` is dropped with the timer, and `recv` then says `None`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    spawn,
    sync::{Notify, watch},
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
    deadline: watch::Sender<Option<Instant>>,
    over: Arc<Notify>,
}

impl Default for TypingTimer {
    fn default() -> Self {
        let (deadline, changes) = watch::channel(None);
        let over = Arc::<Notify>::default();
        spawn(keep_time(changes, over.clone()));
        Self { deadline, over }
    }
}

async fn keep_time(mut changes: watch::Receiver<Option<Instant>>, over: Arc<Notify>) {
    while changes.changed().await.is_ok() {
        loop {
            let deadline = *changes.borrow_and_update();
            let Some(deadline) = deadline else { break };
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return, // The client has left.
                Err(_) => {
                    over.notify_one();
                    break;
                }
            }
        }
    }
}

impl TypingTimer {
    pub fn restart(&mut self) {
        self.deadline.send_replace(Some(Instant::now() + PAUSE));
    }

    pub async fn runs_out(&mut self) {
        self.over.notified().await;
    }
}
