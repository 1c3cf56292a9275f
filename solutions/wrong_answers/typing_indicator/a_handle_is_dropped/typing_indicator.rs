//! Wrong: each room has a task for each typist. A chat drops its handle, and does not cancel it.
//!
//! Refused by step_9_after_a_chat_it_begins_anew:
//! "So he types until 5 s."

use std::{collections::HashMap, future::pending, time::Duration};

use tokio::{spawn, task::JoinHandle, time::sleep};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::{Member, Room},
};

/// Somebody who pauses for so long does not count as typing any more.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Default)]
pub struct Typists {
    tasks: HashMap<Username, JoinHandle<()>>,
}

impl Room {
    pub fn starts_typing(&mut self, member: &Member) {
        let (rooms, room) = (member.rooms.clone(), member.room.clone());
        let username = member.username.clone();
        let task = spawn(async move {
            sleep(PAUSE).await;
            rooms.in_room(&room, |room| room.stops_typing(&username));
        });

        let username = &member.username;
        if let Some(before) = self.typists.tasks.insert(username.clone(), task) {
            before.abort();
        } else {
            let typing = ServerMessage::Typing { username, is_typing: true };
            self.broadcast(typing.encode(), Some(username));
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        if self.typists.tasks.remove(username).is_some() {
            let typing = ServerMessage::Typing { username, is_typing: false };
            self.broadcast(typing.encode(), Some(username));
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        let typists: Vec<_> = self.typists.tasks.keys().cloned().collect();
        for username in typists {
            let typing = ServerMessage::Typing { username: &username, is_typing: true };
            self.send(newcomer, typing.encode());
        }
    }
}

#[derive(Default)]
pub struct TypingTimer {}

impl TypingTimer {
    pub async fn runs_out(&mut self) {
        pending().await
    }
}
