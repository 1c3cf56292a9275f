//! Wrong: a slice that is taken for granted: with fewer than fifty messages it panics.
//!
//! Refused by step_1_a_newcomer_hears_the_history_first:
//! "Your code panics at exercises/src/message_history.rs:"

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

/// What a room remembers, the oldest first.
#[derive(Default)]
pub struct MessageHistory {
    chats: Vec<Chat>,
}

impl MessageHistory {
    /// A room in which nobody ever spoke is not worth keeping.
    pub fn outlives_the_room(&self) -> bool {
        !self.chats.is_empty()
    }
}

impl Room {
    pub fn remember(&mut self, chat: Chat) {
        self.history.chats.push(chat);
    }

    /// Sends what was said to `newcomer` alone.
    ///
    /// No gap and no double: whoever joins and whoever speaks holds the lock. So a chat
    /// is either in the history, or it comes live.
    pub fn send_history(&mut self, newcomer: &Username) {
        let chats = &self.history.chats;
        let last = &chats[chats.len() - HISTORY_SIZE..];
        let messages = last.iter().map(ServerMessage::Chat).collect();
        let history = ServerMessage::History { messages }.encode();

        self.send(newcomer, history);
    }
}
