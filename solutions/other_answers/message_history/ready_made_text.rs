//! Another right answer: the history keeps texts, as they went over the wire.
//!
//! Nothing is encoded twice; and nobody can look into the history any more, to delete a
//! message, say.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

#[derive(Default)]
pub struct MessageHistory {
    texts: VecDeque<Utf8Bytes>,
}

impl MessageHistory {
    pub fn outlives_the_room(&self) -> bool {
        !self.texts.is_empty()
    }
}

impl Room {
    pub fn remember(&mut self, chat: Chat) {
        self.history.texts.push_back(ServerMessage::Chat(&chat).encode());
        let too_many = self.history.texts.len().saturating_sub(HISTORY_SIZE);
        self.history.texts.drain(..too_many);
    }

    pub fn send_history(&mut self, newcomer: &Username) {
        let texts: Vec<_> = self.history.texts.iter().map(Utf8Bytes::as_str).collect();
        let messages = texts.join(",");
        let history = format!(r#"{{"type":"history","messages":[{messages}]}}"#);
        self.send(newcomer, history.into());
    }
}
