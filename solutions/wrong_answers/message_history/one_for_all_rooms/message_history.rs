//! Wrong: there is one history for the whole server.
//!
//! Refused by step_9_each_room_has_its_own:
//! "Dan joins the room tea, which is new."

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

/// All clones are one.
#[derive(Clone, Default)]
pub struct MessageHistory {
    chats: Arc<Mutex<VecDeque<Chat>>>,
}

impl MessageHistory {
    pub fn outlives_the_room(&self) -> bool {
        !self.chats().is_empty()
    }

    fn chats(&self) -> MutexGuard<'_, VecDeque<Chat>> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    pub fn remember(&mut self, chat: Chat) {
        let mut chats = self.history.chats();
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
        let chats = self.history.chats();
        let messages = chats.iter().map(ServerMessage::Chat).collect();
        let history = ServerMessage::History { messages }.encode();
        drop(chats);

        self.send(newcomer, history);
    }
}
