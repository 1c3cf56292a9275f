//! Wrong: the next chat is looked for by its number. When nothing was missed there is
//! none, which is taken for a gap.
//!
//! Refused by step_6_it_is_an_answer_and_not_news:
//! "Ben has number 1, and so he has missed nothing."

use std::collections::VecDeque;

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many chats a room keeps for those who come back.
const KEPT: usize = 50;

/// The chats of a room and their numbers.
#[derive(Default)]
pub struct Logbook {
    /// The number of the last chat, or 0.
    last: u64,
    /// The last chats, the oldest first. Their numbers have no gap, and end with `last`.
    chats: VecDeque<Chat>,
}

impl Logbook {
    /// A room in which nobody ever spoke has given no number.
    pub fn outlives_the_room(&self) -> bool {
        self.last > 0
    }
}

impl Room {
    pub fn number(&mut self, chat: &mut Chat) {
        let Logbook { last, chats } = &mut self.logbook;
        *last += 1;
        chat.seq = Some(*last);

        if chats.len() == KEPT {
            chats.pop_front();
        }
        chats.push_back(chat.clone());
    }

    /// Sends `member` what came after number `after`.
    ///
    /// No gap and no double: whoever asks and whoever speaks holds the lock. So a chat is
    /// either in the answer, or it comes live.
    pub fn resume(&mut self, member: &Username, after: u64) {
        let Logbook { last, chats } = &self.logbook;
        let next = after.saturating_add(1);
        let found = chats.iter().position(|chat| chat.seq == Some(next));
        let complete = found.is_some() || *last == 0;
        let count = match found {
            Some(at) => chats.len() - at,
            None if *last == after => 0,
            None => chats.len(),
        };

        let messages =
            chats.range(chats.len() - count..).map(ServerMessage::Chat).collect();
        let resumed = ServerMessage::Resumed { complete, messages }.encode();
        self.send(member, resumed);
    }
}
