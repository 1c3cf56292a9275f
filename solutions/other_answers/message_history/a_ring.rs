//! Another right answer: a ring: when it is full, a new message replaces the oldest
//! one.
//!
//! Nothing is moved or allocated any more. But somebody has to put the two halves in
//! order.

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

/// What a room remembers, the oldest first.
#[derive(Default)]
pub struct MessageHistory {
    /// When it is full, the next one replaces the oldest, which is at `oldest`.
    chats: Vec<Chat>,
    oldest: usize,
}

impl MessageHistory {
    /// A room in which nobody ever spoke is not worth keeping.
    pub fn outlives_the_room(&self) -> bool {
        !self.chats.is_empty()
    }
}

impl Room {
    pub fn remember(&mut self, chat: Chat) {
        let MessageHistory { chats, oldest } = &mut self.history;
        if chats.len() < HISTORY_SIZE {
            chats.push(chat);
        } else {
            chats[*oldest] = chat;
            *oldest = (*oldest + 1) % HISTORY_SIZE;
        }
    }

    /// Sends what was said to `newcomer` alone.
    ///
    /// No gap and no double: whoever joins and whoever speaks holds the lock. So a chat
    /// is either in the history, or it comes live.
    pub fn send_history(&mut self, newcomer: &Username) {
        let (newer, older) = self.history.chats.split_at(self.history.oldest);
        let messages = older.iter().chain(newer).map(ServerMessage::Chat).collect();
        let history = ServerMessage::History { messages }.encode();

        self.send(newcomer, history);
    }
}
