//! Exercise 4: message history.
//!
//! Read first: `rooms.rs`, `join`, `chat` and `keep_or_forget`;
//!             `protocol.rs`, `Chat`
//! Edit:       this file, in four places
//! Check:      cargo course check message_history
//! Try it:     cargo run -p exercises; talk, then join with a second window

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use crate::{
    protocol::{Chat, ServerMessage, Username},
    rooms::Room,
};

/// How many messages a room remembers. With one more, it forgets the oldest.
const HISTORY_SIZE: usize = 50;

/// What a room remembers. Each `Room` has one, in the field `history`.
#[derive(Default)]
pub struct MessageHistory {}

impl MessageHistory {
    /// Whether the room should stay in memory when the last member has left.
    ///
    /// The history does: who comes back tomorrow still reads it. But anybody can open a room
    /// with any name, and the server keeps a hundred empty rooms at most, those that were
    /// left last. So a room should stay only if it has a history.
    ///
    /// - Which rooms have nothing to keep?
    pub fn outlives_the_room(&self) -> bool {
        false
    }
}

impl Room {
    /// `chat` has been said.
    ///
    /// What is older than the last 50 is dropped, whoever said it. If it were only not sent,
    /// the memory would grow for as long as people talk.
    ///
    /// - Which of std's collections takes at one end, and gives at the other?
    pub fn remember(&mut self, chat: Chat) {}

    /// `newcomer` is in the room now, and nothing has been sent to it yet.
    ///
    /// It receives, before all else and alone, what was said:
    /// `{"type":"history","messages":[…]}`, the oldest first, each as it was sent. If
    /// nothing was said, the list is empty. Whoever comes back receives all of it again,
    /// with their own messages: their page has forgotten them.
    ///
    /// What makes it interesting: the others do not stop talking meanwhile. Between the
    /// last message of the history and the first that comes live, none may be missing,
    /// and none may come twice.
    ///
    /// - `Room::chat` calls `remember`, `join` calls this. Can one run while the other
    ///   does? Who sees to that?
    /// - `messages` wants a `Vec<ServerMessage>`. `ServerMessage::Chat` makes one from a
    ///   `&Chat`, so what can `map` do with it?
    pub fn send_history(&mut self, newcomer: &Username) {}
}
