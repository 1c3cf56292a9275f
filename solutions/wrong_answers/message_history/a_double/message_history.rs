//! Wrong: first the newcomer joins, and then somebody looks up the history.
//!
//! Refused by step_12_no_gap_and_no_double:
//! "messages of the history came live once more."

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

/// What a room remembers, the oldest first.
#[derive(Default)]
pub struct MessageHistory {
    chats: VecDeque<Chat>,
}

impl MessageHistory {
    /// A room in which nobody ever spoke is not worth keeping.
    pub fn outlives_the_room(&self) -> bool {
        !self.chats.is_empty()
    }
}

impl Room {
    pub fn remember(&mut self, chat: Chat) {
        let chats = &mut self.history.chats;
        if chats.len() == HISTORY_SIZE {
            chats.pop_front();
        }
        chats.push_back(chat);
    }

    pub fn send_history(&mut self, _newcomer: &Username) {}

    pub fn history(&self) -> Utf8Bytes {
        let messages = self.history.chats.iter().map(ServerMessage::Chat).collect();
        ServerMessage::History { messages }.encode()
    }
}
