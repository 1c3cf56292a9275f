//! Wrong: the whole room receives it again, whenever somebody joins.
//!
//! Refused by step_4_the_others_do_not_hear_it:
//! "Ana was there all the time."

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

    /// Sends what was said.
    ///
    /// No gap and no double: whoever joins and whoever speaks holds the lock. So a chat
    /// is either in the history, or it comes live.
    pub fn send_history(&mut self, _newcomer: &Username) {
        let messages = self.history.chats.iter().map(ServerMessage::Chat).collect();
        let history = ServerMessage::History { messages }.encode();

        self.broadcast(history, None);
    }
}
