//! What the client knows: what it has seen, what it still has to send, and when to connect
//! again. There is no socket in this file, so its tests need none.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    connect::{LOST, encode},
    protocol::{ClientMessage, ServerMessage},
};

/// The longest content that a server accepts, in characters.
const CONTENT_LIMIT: usize = 2_000;

/// How many messages may wait. Then a pipe is not read, and a person is told.
const PENDING_LIMIT: usize = 1_000;

/// How long the first wait may be. Each one may be twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// But never longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// After a connection that has lasted so long, the waits begin anew.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// For so long a lost connection may still have our name: the server notices late.
const STALE_FOR: Duration = Duration::from_secs(45);

#[derive(Default)]
pub struct Session {
    /// What was typed, with its id, and has to be sent.
    unsent: VecDeque<(String, String)>,
    /// What was sent, and is not acknowledged yet.
    unconfirmed: VecDeque<(String, String)>,
    /// The log of the server, if it has one, and the highest number that we have seen of it.
    log: Option<String>,
    seen: u64,
    /// Since when the server has answered on this connection.
    online: Option<Instant>,
    lost: Option<Instant>,
    tries: u32,
}

impl Session {
    /// The query that says to a server what we have seen.
    pub fn position(&self) -> String {
        let log = self.log.as_ref().map(|log| format!("&log={}", encode(log)));
        format!("?resume={}{}", self.seen, log.unwrap_or_default())
    }

    /// How many messages the server may not have.
    pub fn pending(&self) -> usize {
        self.unsent.len() + self.unconfirmed.len()
    }

    pub fn has_room(&self) -> bool {
        self.pending() < PENDING_LIMIT
    }

    /// What the person should know while they type.
    pub fn state(&self) -> String {
        match self.online {
            Some(_) => String::new(),
            None => format!(" (offline, {} to send)", self.pending()),
        }
    }

    /// Takes what was typed. What it returns is for the person who has typed it.
    pub fn say(&mut self, line: &str) -> Option<String> {
        let content = line.trim();
        if content.chars().count() > CONTENT_LIMIT || !self.has_room() {
            return Some(format!("* Too long, or too many wait. Not sent: {content}"));
        }
        if !content.is_empty() {
            self.unsent.push_back((format!("{:x}", random()), content.into()));
        }
        None
    }

    /// The next message to send, once the server has answered.
    pub fn next(&mut self) -> Option<Message> {
        self.online?;
        let (id, content) = self.unsent.pop_front()?;
        let message = ClientMessage::Chat { id: &id, content: &content }.encode();
        // Without a log nobody acknowledges it, and we cannot know more.
        if self.log.is_some() {
            self.unconfirmed.push_back((id, content));
        }
        Some(message)
    }

    /// Forgets a message that need not be sent again. Returns its content.
    fn settle(&mut self, id: &str) -> Option<String> {
        let index = self.unconfirmed.iter().position(|(known, _)| known == id)?;
        self.unconfirmed.remove(index).map(|(_, content)| content)
    }

    /// Somebody leaves without waiting.
    pub fn forget_pending(&mut self) {
        self.unsent.clear();
        self.unconfirmed.clear();
    }

    /// Deals with a message of the server. What it returns is for the person who reads.
    pub fn receive(&mut self, text: &str) -> Option<String> {
        use ServerMessage::*;
        // A newer server may send more than we know, so that is no reason to complain.
        Some(match serde_json::from_str(text).ok()? {
            Chat { seq: Some(seq), .. } if seq <= self.seen => return None, // We have it.
            Chat { from, content, timestamp, seq } => {
                self.seen = seq.unwrap_or(self.seen);
                format!("{} {from}: {content}", timestamp.get(11..16).unwrap_or_default())
            }
            Welcome { log, seq } => {
                // The numbers of another log mean nothing in this one, and one that has never
                // given out ours is another: somebody has restored it from a copy.
                if self.log.as_ref() != Some(&log) || seq < self.seen {
                    self.seen = 0;
                }
                (self.log, self.online) = (Some(log), Some(Instant::now()));
                "* Connected. This server sends what you miss.".into()
            }
            // The answer to our first ping. A welcome would have come before it.
            Pong if self.online.is_none() => {
                (self.log, self.seen, self.online) = (None, 0, Some(Instant::now()));
                "* Connected.".into()
            }
            Pong => return None,
            Gap { next } => {
                self.seen = self.seen.max(next.saturating_sub(1));
                "* Messages are missing here: the server no longer has them.".into()
            }
            Ack { id } => self.settle(&id).and(None)?,
            Rejected { id, message } => {
                format!("* Not accepted, {message}: {}", self.settle(&id)?)
            }
            UserJoined { username } => format!("* {username} joined."),
            UserLeft { username } => format!("* {username} left."),
            Error { message } => format!("* The server says: {message}"),
        })
    }

    /// How long to wait before the next try, or `None` if it would end in the same way.
    pub fn wait_after(&mut self, code: u16) -> Option<Duration> {
        let (now, online) = (Instant::now(), self.online.take());
        // It may not have arrived. If it has, the server knows the id.
        self.unconfirmed.append(&mut self.unsent);
        mem::swap(&mut self.unconfirmed, &mut self.unsent);
        if code == LOST {
            self.lost = online.and(Some(now)).or(self.lost);
        }
        let is_stale =
            self.log.is_none() && self.lost.is_some_and(|at| now - at < STALE_FOR);
        match code {
            409 | 1008 | 4009 if is_stale => {} // The name is taken, perhaps by ourselves.
            408 | 429 => {}
            ..500 | 1000 | 1002 | 1003 | 1007..=1009 | 1015 | 4001 | 4009 => return None,
            _ => {}
        }
        if online.is_some_and(|at| now - at >= STABLE_AFTER) {
            self.tries = 0;
        }
        // Full jitter: a server that stops loses all its clients in one moment, and must not
        // have them all back in one moment.
        let longest = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(self.tries.min(5)));
        self.tries += 1;
        Some(longest.mul_f64(random() as f64 / u64::MAX as f64))
    }
}

fn random() -> u64 {
    getrandom::u64().expect("the system has random numbers")
}
