//! Who is typing, and until when. The room's task has the clock.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Somebody who pauses for so long does not count as typing any more.
const PAUSE: Duration = Duration::from_secs(3);

#[derive(Default)]
pub struct Typists {
    deadlines: HashMap<Username, Instant>,
}

impl Typists {
    /// When the next one stops.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.values().min().copied()
    }
}

impl Room {
    pub fn starts_typing(&mut self, username: &Username) {
        let deadline = Instant::now() + PAUSE;
        if self.typists.deadlines.insert(username.clone(), deadline).is_none() {
            let typing = ServerMessage::Typing { username, is_typing: true };
            self.broadcast(typing.encode(), Some(username));
        }
    }

    pub fn stops_typing(&mut self, username: &Username) {
        if self.typists.deadlines.remove(username).is_some() {
            let typing = ServerMessage::Typing { username, is_typing: false };
            self.broadcast(typing.encode(), Some(username));
        }
    }

    pub fn send_typists(&mut self, newcomer: &Username) {
        let typists: Vec<_> = self.typists.deadlines.keys().cloned().collect();
        for username in typists {
            let typing = ServerMessage::Typing { username: &username, is_typing: true };
            self.send(newcomer, typing.encode());
        }
    }

    /// Ends the typing of all whose time has run out.
    pub fn end_pauses(&mut self) {
        let now = Instant::now();
        let deadlines = self.typists.deadlines.iter();
        let over: Vec<_> = deadlines
            .filter(|(_, deadline)| **deadline <= now)
            .map(|(username, _)| username.clone())
            .collect();
        for username in over {
            self.stops_typing(&username);
        }
    }
}
