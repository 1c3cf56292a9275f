//! Another right answer: the chats in a map, by their numbers.
//!
//! A range of the map is the answer.

use std::collections::BTreeMap;

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
    /// The last chats, by their numbers.
    chats: BTreeMap<u64, Chat>,
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

        chats.insert(*last, chat.clone());
        if chats.len() > KEPT {
            chats.pop_first();
        }
    }

    /// Sends `member` what came after number `after`.
    ///
    /// No gap and no double: whoever asks and whoever speaks holds the lock. So a chat is
    /// either in the answer, or it comes live.
    pub fn resume(&mut self, member: &Username, after: u64) {
        let Logbook { last, chats } = &self.logbook;
        let oldest = chats.keys().next().copied().unwrap_or(1);
        let is_known = after <= *last;
        let complete = is_known && after >= oldest - 1;
        let from = if is_known { after + 1 } else { 0 };

        let messages =
            chats.range(from..).map(|(_, chat)| ServerMessage::Chat(chat)).collect();
        let resumed = ServerMessage::Resumed { complete, messages }.encode();
        self.send(member, resumed);
    }
}
