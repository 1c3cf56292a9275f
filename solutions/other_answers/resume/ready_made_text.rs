//! Another right answer: the logbook keeps texts, and knows the number of the first.
//!
//! A chat is encoded once for the logbook, and not once more for each who comes back.

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many chats a room keeps for those who come back.
const KEPT: usize = 50;

#[derive(Default)]
pub struct Logbook {
    /// How many chats have been said that are not kept any more.
    gone: u64,
    texts: VecDeque<Utf8Bytes>,
}

impl Logbook {
    pub fn outlives_the_room(&self) -> bool {
        !self.texts.is_empty()
    }

    fn last(&self) -> u64 {
        self.gone + self.texts.len() as u64
    }
}

impl Room {
    pub fn number(&mut self, chat: &mut Chat) {
        chat.seq = Some(self.logbook.last() + 1);

        self.logbook.texts.push_back(ServerMessage::Chat(chat).encode());
        if self.logbook.texts.len() > KEPT {
            self.logbook.texts.pop_front();
            self.logbook.gone += 1;
        }
    }

    pub fn resume(&mut self, member: &Username, after: u64) {
        let complete = (self.logbook.gone..=self.logbook.last()).contains(&after);
        let known = if complete { (after - self.logbook.gone) as usize } else { 0 };
        let texts: Vec<_> =
            self.logbook.texts.iter().skip(known).map(Utf8Bytes::as_str).collect();
        let messages = texts.join(",");
        let resumed = format!(
            r#"{{"type":"resumed","complete":{complete},"messages":[{messages}]}}"#
        );
        self.send(member, resumed.into());
    }
}
