//! Exercise 2: who is typing.
//!
//! Read first: `client.rs`, the loop with `select!`, and where it uses the timer;
//!             `rooms.rs`, `RoomManager::join`, `Room::chat` and `Room::remove`
//! Edit:       this file, in seven places
//! Check:      cargo course check typing_indicator
//! Try it:     cargo run -p exercises, two windows; type in one, look at the other

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{future::pending, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Somebody who pauses for so long does not count as typing any more.
const PAUSE: Duration = Duration::from_secs(3);

/// Who is typing in a room. Each `Room` has one, in the field `typists`.
#[derive(Default)]
pub struct Typists {}

impl Room {
    /// `username` has pressed a key.
    ///
    /// The others receive `{"type":"typing","username":"ben","is_typing":true}`. The typist
    /// does not, and who is in another room does not.
    ///
    /// What makes it interesting: this is called again and again while somebody types,
    /// and the others want to be told once. And two people may be typing at the same time.
    ///
    /// - What has the room to remember? `Typists` can have fields.
    /// - Which collection tells you, when you insert something, whether it was there?
    pub fn starts_typing(&mut self, username: &Username) {}

    /// `username` has paused, or is about to speak, or is gone.
    ///
    /// The others receive the same with `"is_typing":false`.
    ///
    /// What makes it interesting: this is called before *every* chat, and when *anybody*
    /// leaves. The others want to be told of an end only after a beginning.
    ///
    /// - Which of your collection's methods tells you whether there was something to
    ///   remove?
    pub fn stops_typing(&mut self, username: &Username) {}

    /// `newcomer` is in the room now, and receives a beginning for everybody who is typing.
    ///
    /// What makes it interesting: without it, the first that the newcomer hears of a typist
    /// would be the end.
    ///
    /// - Several people may be typing. Which of the methods above has taken note of them?
    /// - `send` changes the room, and your collection is a part of the room. Which step must
    ///   come in between?
    pub fn send_typists(&mut self, newcomer: &Username) {}
}

/// When one client's typing runs out. Each connection has one, for as long as it lasts.
#[derive(Default)]
pub struct TypingTimer {}

impl TypingTimer {
    /// The client has pressed a key. From now on it has `PAUSE` until it runs out.
    ///
    /// A task is not needed. If you spawn one, it must end with the connection.
    pub fn restart(&mut self) {}

    /// Waits until the time has run out, and then starts over: it waits for ever, until
    /// the next `restart`. That is all that it does now.
    ///
    /// What makes it interesting: `client.rs` waits for this, for the socket and for the
    /// outbox at once. When a message comes first, `select!` drops this future, and the
    /// next turn of the loop calls `runs_out` again, from its first line.
    ///
    /// - If there were a `sleep(PAUSE)` here, and others talked all the time: when would
    ///   it end?
    /// - `sleep_until` sleeps until an `Instant`, such as `Instant::now() + PAUSE`. Who can
    ///   tell which one? (It is tokio's `Instant`, and not that of std: the checks stop
    ///   tokio's clock.)
    /// - After it has run out, the loop calls `runs_out` once more. What must be
    ///   different then?
    pub async fn runs_out(&mut self) {
        pending().await
    }
}
