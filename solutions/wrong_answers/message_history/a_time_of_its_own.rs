//! Wrong: the words are kept, and the time is that of the reader.
//!
//! Refused by step_2_it_holds_what_was_said:
//! "Ben should hear the same messages, in this order."

use std::collections::VecDeque;

use crate::{
    protocol::{Chat, ServerMessage, Username, now},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

#[derive(Default)]
pub struct MessageHistory {
    said: VecDeque<Chat>,
}

impl MessageHistory {
    pub fn outlives_the_room(&self) -> bool {
        !self.said.is_empty()
    }
}

impl Room {
    pub fn remember(&mut self, chat: Chat) {
        let said = &mut self.history.said;
        if said.len() == HISTORY_SIZE {
            said.pop_front();
        }
        said.push_back(chat);
    }

    pub fn send_history(&mut self, newcomer: &Username) {
        let chats: Vec<_> = (self.history.said.iter())
            .map(|chat| Chat { timestamp: now(), ..chat.clone() })
            .collect();
        let messages = chats.iter().map(ServerMessage::Chat).collect();
        self.send(newcomer, ServerMessage::History { messages }.encode());
    }
}
