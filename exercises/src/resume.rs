//! Exercise 7: back without a gap.
//!
//! Read first: `rooms.rs`, `chat` and `clear_up`;
//!             `protocol.rs`, `Chat`, and `Resumed` in `ServerMessage`
//! Edit:       this file, in four places
//! Check:      cargo course check resume
//! Try it:     cargo run -p exercises; talk in two windows, press Leave in one, talk on in
//!             the other, and connect again

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many chats a room keeps for those who come back.
const KEPT: usize = 50;

/// The chats of a room and their numbers. Each `Room` has one, in the field `logbook`.
#[derive(Default)]
pub struct Logbook {}

impl Logbook {
    /// Whether the logbook should stay in memory when the last member has left.
    ///
    /// Whoever comes back to an empty room still asks for what they missed; and a number
    /// that has been used must not come a second time. But the server keeps a hundred empty
    /// rooms at most, those that were left last. So a room should stay only if it has given a
    /// number.
    pub fn outlives_the_room(&self) -> bool {
        false
    }
}

impl Room {
    /// `chat` is about to be said to everybody.
    ///
    /// It gets a number, in its field `seq`: 1 for the first chat of the room, and one more
    /// for each that follows. And it is kept, for those who come back. The room keeps exactly
    /// the last 50: with fewer, more people would find a gap, and with more, the memory would
    /// grow.
    ///
    /// - Could you tell the next number from what is kept, when old ones are gone?
    pub fn number(&mut self, chat: &mut Chat) {}

    /// `member` is back, and has all chats up to number `after`.
    ///
    /// It alone receives the ones that follow, the oldest first, each as it was sent:
    /// `{"type":"resumed","complete":true,"messages":[…]}`. The list may be empty: who has
    /// number 0 in a new room has missed nothing. The member's own chats are in it as well,
    /// because nobody else can tell them what arrived. And whoever asks again, gets the same
    /// again.
    ///
    /// What makes it interesting: you cannot always give what is asked for.
    ///
    /// - Some of what was missed is not kept any more? Give what there is, with
    ///   `"complete":false`. A gap that nobody admits is worse than a gap.
    /// - `after` is a number that this room has not given yet? Then it is from another
    ///   time, before a restart of the server, say. Nobody can tell what was missed: give
    ///   all that there is, again with `"complete":false`.
    ///
    /// While you do so, nobody speaks. So what is not in your answer comes live, after it.
    ///
    /// - Of which chat does a client with number 9 need to find the number kept, for the
    ///   answer to be complete?
    /// - Clients may send any number that fits into a `u64`. Where could yours overflow?
    pub fn resume(&mut self, member: &Username, after: u64) {}
}
