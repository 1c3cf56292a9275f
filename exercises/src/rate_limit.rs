//! Exercise 6: a rate limit.
//!
//! Read first: `client.rs`, the function `handle_message`;
//!             `rooms.rs`, where `may_send` and `remembered` call you
//! Edit:       this file, in three places
//! Check:      cargo course check rate_limit
//! Try it:     cargo run -p exercises; paste a line and press Enter, as fast as you can

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many messages somebody may send at once, after a silence.
const BURST: u32 = 20;

/// How long it takes until somebody may send one more: ten come in a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// Who has sent how much lately. There is one for the whole server.
#[derive(Default)]
pub struct RateLimiter {}

impl RateLimiter {
    /// `from` would like to send `message`. `Ok` lets it pass. With an error, nobody
    /// receives it, and `from` alone receives the error:
    /// `too many messages: try again in 0.1 s`.
    ///
    /// Think of a bucket with 20 tokens for each person. A message takes one out. While
    /// there is none, messages are refused. Every tenth of a second one comes in, until
    /// there are 20 again.
    ///
    /// - What others have to read takes a token: chats and private messages. All else is
    ///   free.
    /// - A refused message takes nothing out. Whoever is too eager still gets ten a second.
    /// - A bucket belongs to a person, wherever they are and however often they come back.
    ///   Who the person is, their name says.
    /// - The time in the error is long enough, and not more than a tenth of a second too
    ///   long.
    ///
    /// What makes it interesting: nobody comes by each tenth of a second to put tokens in.
    ///
    /// - If you know how many there were, and when that was: how many are there now?
    /// - Or is there *one* time that says it all: when will the bucket be full again?
    /// - Which clock do the checks stop? (tokio's, not std's.)
    pub fn admit(
        &mut self,
        from: &Username,
        message: &ClientMessage,
    ) -> Result<(), String> {
        Ok(())
    }

    /// How many people you remember at the moment. `GET /rate_limit` tells it.
    ///
    /// What makes it interesting: names cost nothing, so a list of all who ever spoke has
    /// no end. Who has a full bucket may be forgotten, and nobody else: the others would get a
    /// full one. If people come one after the other, a second apart, speak once and leave,
    /// you remember fifty at most, and need memory for no more.
    ///
    /// - When is a good moment to look for them? What would it cost to do so each time?
    pub fn people(&self) -> usize {
        0
    }
}
