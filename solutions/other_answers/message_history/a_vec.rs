//! Another right answer: a list that is cut at the front after each message.
//!
//! It takes fewer words than a queue. Each message moves the fifty others, which is too
//! little work to matter.

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
        let chats = &mut self.history.chats;
        chats.push(chat);
        let too_many = chats.len().saturating_sub(HISTORY_SIZE);
        chats.drain(..too_many);
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
