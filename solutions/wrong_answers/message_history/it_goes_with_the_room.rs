//! Wrong: the room vanishes with its last member, and the history with the room.
//!
//! Refused by step_10_it_outlives_an_empty_room:
//! "The room was empty for a while. Now Ben joins."

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
    pub fn outlives_the_room(&self) -> bool {
        false
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
        let messages = self.history.chats.iter().map(ServerMessage::Chat).collect();
        let history = ServerMessage::History { messages }.encode();

        self.send(newcomer, history);
    }
}
