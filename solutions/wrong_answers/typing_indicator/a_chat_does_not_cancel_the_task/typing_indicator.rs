//! Wrong: a chat does not cancel the task that announces the end, and it ends what came later.
//!
//! Refused by step_8_a_chat_ends_it_at_once:
//! "No clock is left to run."

use std::{collections::HashSet, future::pending, time::Duration};

use tokio::{spawn, task::JoinHandle, time::sleep};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::{Member, Room},
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

#[derive(Default)]
pub struct TypingTimer {
    task: Option<JoinHandle<()>>,
}

impl TypingTimer {
    pub fn restart(&mut self, member: &Member) {
        self.cancel();
        let (rooms, room, username) =
            (member.rooms.clone(), member.room.clone(), member.username.clone());
        self.task = Some(spawn(async move {
            sleep(PAUSE).await;
            rooms.in_room(&room, |room| {
                room.typists.names.remove(&username);
                let typing =
                    ServerMessage::Typing { username: &username, is_typing: false };
                room.broadcast(typing.encode(), Some(&username));
            });
        }));
    }

    pub fn cancel(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    pub async fn runs_out(&mut self) {
        pending().await
    }
}
