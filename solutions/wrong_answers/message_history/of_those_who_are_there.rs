//! Wrong: only what those said who are still in the room is sent.
//!
//! Refused by step_6_who_has_left_is_still_in_it:
//! "Ben said two and left. Now Cem joins, and Ana is still there."

use std::collections::VecDeque;

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

    /// Sends what was said to `newcomer` alone.
    ///
    /// No gap and no double: whoever joins and whoever speaks holds the lock. So a chat
    /// is either in the history, or it comes live.
    pub fn send_history(&mut self, newcomer: &Username) {
        let chats = self.history.chats.iter().filter(|chat| self.has(&chat.from));
        let messages = chats.map(ServerMessage::Chat).collect();
        let history = ServerMessage::History { messages }.encode();

        self.send(newcomer, history);
    }
}
