//! Another right answer: the chats alone, each with its number.
//!
//! The last number is that of the last chat, which is never dropped.

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many chats a room keeps for those who come back.
const KEPT: usize = 50;

/// The chats of a room and their numbers.
#[derive(Default)]
pub struct Logbook {
    /// The last chats, the oldest first. Each has its number.
    chats: Vec<Chat>,
}

impl Logbook {
    /// A room in which nobody ever spoke has given no number.
    pub fn outlives_the_room(&self) -> bool {
        !self.chats.is_empty()
    }
}

impl Room {
    pub fn number(&mut self, chat: &mut Chat) {
        let chats = &mut self.logbook.chats;
        let last = chats.last().and_then(|chat| chat.seq).unwrap_or(0);
        chat.seq = Some(last + 1);

        if chats.len() == KEPT {
            chats.remove(0);
        }
        chats.push(chat.clone());
    }

    /// Sends `member` what came after number `after`.
    ///
    /// No gap and no double: whoever asks and whoever speaks holds the lock. So a chat is
    /// either in the answer, or it comes live.
    pub fn resume(&mut self, member: &Username, after: u64) {
        let chats = &self.logbook.chats;
        let number = |chat: Option<&Chat>| chat.and_then(|chat| chat.seq);
        let last = number(chats.last()).unwrap_or(0);
        let first = number(chats.first()).unwrap_or(1);
        let complete = first - 1 <= after && after <= last;
        let has_it = |chat: &&Chat| after <= last && chat.seq <= Some(after);

        let messages = chats.iter().skip_while(has_it).map(ServerMessage::Chat).collect();
        let resumed = ServerMessage::Resumed { complete, messages }.encode();
        self.send(member, resumed);
    }
}
