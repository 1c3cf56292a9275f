//! Wrong: forty-nine chats are kept.
//!
//! Refused by step_12_what_is_lost_is_admitted:
//! "But he heard 49, from 12 to 60, and "complete":false."

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

        if chats.len() == KEPT - 1 {
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
        let missed = last.checked_sub(after).map(|missed| missed as usize);
        // More than we keep? Or a number that is yet to come? Then it gets all we have.
        let complete = missed.is_some_and(|missed| missed <= chats.len());
        let count = missed.unwrap_or(usize::MAX).min(chats.len());

        let messages =
            chats.range(chats.len() - count..).map(ServerMessage::Chat).collect();
        let resumed = ServerMessage::Resumed { complete, messages }.encode();
        self.send(member, resumed);
    }
}
