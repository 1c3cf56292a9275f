//! Exercise 3: who is online.
//!
//! Read first: `rooms.rs`, `join` and `remove`
//! Edit:       this file
//! Check:      cargo course check online_users
//! Try it:     cargo run -p exercises, two windows; close one, look at the other

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    /// `newcomer` is in the room now, and the others have been told.
    ///
    /// Everybody in the room, the newcomer too, receives the list of who is there:
    /// `{"type":"online_users","users":["ana","ben"]}`, sorted. It comes once, and each room
    /// has its own. Capitals come first, as `sort` has it: `Ben` and `ben` are two people.
    ///
    /// What makes it interesting: the list must be exact. A second list, which you keep
    /// yourself, could come to differ from the first.
    ///
    /// - Who knows already who is in the room? In which order?
    /// - `ServerMessage::OnlineUsers` borrows the names from the room, and `broadcast`
    ///   wants to change the room. Which step must come in between?
    pub fn after_join(&mut self, newcomer: &Username) {}

    /// `gone` is no longer in the room, and the others have been told. It may have closed
    /// its connection, lost it, or been disconnected because it was too slow.
    ///
    /// Everybody who is left receives the list of who is there now, once. When many are
    /// disconnected at once, this is called once, after the last of them: `gone` is that one,
    /// and the others are gone as well. They may all come back.
    ///
    /// - What does it have in common with the above?
    pub fn after_leave(&mut self, gone: &Username) {}
}
