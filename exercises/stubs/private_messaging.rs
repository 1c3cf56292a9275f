//! Exercise 1: private messages.
//!
//! Read first: `protocol.rs`, the types `ClientMessage`, `ServerMessage` and `Content`;
//!             `rooms.rs`, what a `Room` can do
//! Edit:       this file, in two places
//! Check:      cargo course check private_messaging
//! Try it:     cargo run -p exercises, two windows; in Ana's say: /pm ben psst

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

/// Reads what somebody has said: is it a chat, or a command?
///
/// `/pm ben psst` stands for the private message `psst` to `ben`. Everything else is a
/// chat and stays one: `/pmben`, `/PM ben psst` and `say /pm ben psst`, too. A `/pm` without
/// a name, with a name that nobody can have, or without a message is a mistake, and the
/// error says how to do it better.
///
/// What makes it interesting: a message is more than one word, and arrives as it was
/// written. `/pm ben two  blanks` says `two  blanks`. And people write in all languages: a
/// letter may be more than one byte.
///
/// - Which method of `str` gives you the first word *and* all the rest?
/// - `ClientMessage` has a variant for private messages. What does it want?
/// - `Username::try_from(text)` and `Content::try_from(text)` take a `String`, and have
///   sentences of their own for bad ones. How does `?` pass them on?
pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    Ok(ClientMessage::Chat { content })
}

impl Room {
    /// Sends a private message to `to`, with a copy to `from`: a page shows what the
    /// server sends, and nothing else.
    ///
    /// Each of the two receives it once, with the time of now, and nobody else receives it
    /// at all. If `to` is not in the room, nobody receives anything, and the error says so.
    /// `Ben` is not `ben`: they are two people.
    ///
    /// What makes it interesting: some people write to themselves.
    ///
    /// - Which methods of `Room` do you need? None of them is `broadcast`.
    /// - `ServerMessage` has a variant for this, too, and `encode` makes it a text. A
    ///   clone of that is cheap; so how often need you encode?
    /// - Where does a timestamp come from? Look who else needs `now`, in `client.rs`.
    pub fn send_private(
        &mut self,
        from: &Username,
        to: &Username,
        content: &Content,
    ) -> Result<(), String> {
        Ok(())
    }
}
