//! Wrong: the answer goes to the socket at once, ahead of what waits in the outbox.
//!
//! Refused by step_14_no_gap_and_no_double:
//! "chats of the answer came live once more."

use std::collections::VecDeque;

use axum::extract::ws::Utf8Bytes;

use crate::{
    protocol::{Chat, ServerMessage},
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

    /// What came after number `after`.
    pub fn missed(&self, after: u64) -> Utf8Bytes {
        let Logbook { last, chats } = &self.logbook;
        let missed = last.checked_sub(after).map(|missed| missed as usize);
        // More than we keep? Or a number that is yet to come? Then it gets all we have.
        let complete = missed.is_some_and(|missed| missed <= chats.len());
        let count = missed.unwrap_or(usize::MAX).min(chats.len());

        let messages =
            chats.range(chats.len() - count..).map(ServerMessage::Chat).collect();
        ServerMessage::Resumed { complete, messages }.encode()
    }
}
