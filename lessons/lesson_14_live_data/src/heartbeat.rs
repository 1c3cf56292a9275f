//! The pulse of one client: when to ask for a sign of life, and when to give it up.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long a client may be silent before we ask whether it is there.
pub const PING_AFTER: Duration = Duration::from_secs(20);

/// How long the answer may take. Then the client counts as gone.
pub const PONG_WITHIN: Duration = Duration::from_secs(10);

/// How long somebody may stay who is there, but says nothing.
pub const IDLE_AFTER: Duration = Duration::from_secs(10 * 60);

/// What is due.
#[derive(Debug, PartialEq)]
pub enum Beat {
    /// Send a ping: we have heard nothing for a while.
    Ask,
    /// The ping had no answer.
    Gone,
    /// The client answers, but nobody uses it.
    Idle,
}

/// What is due for one client, and when.
pub struct Heartbeat {
    /// How long we put up with the silence. A sign of life puts it off.
    alive_until: Instant,
    /// Whether a ping is on its way, and has no answer yet.
    asked: bool,
    /// How long somebody counts as being there. A word puts it off.
    in_use_until: Instant,
    /// Whether a sign of life is enough to count as being there.
    listens: bool,
}

impl Heartbeat {
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            alive_until: now + PING_AFTER,
            asked: false,
            in_use_until: now + IDLE_AFTER,
            listens: false,
        }
    }

    /// The same for somebody who is here to listen, and need not say anything.
    pub fn of_a_listener() -> Self {
        Self { listens: true, ..Self::start() }
    }

    /// Takes note of a sign of life. Everything is one: a pong, a ping, a message.
    pub fn is_alive(&mut self) {
        self.alive_until = Instant::now() + PING_AFTER;
        self.asked = false;
        if self.listens {
            self.is_in_use();
        }
    }

    /// Takes note that a person is there, and not a page alone.
    pub fn is_in_use(&mut self) {
        self.in_use_until = Instant::now() + IDLE_AFTER;
    }

    /// Leaves out the time since `start`, in which we did not listen.
    pub fn excuse(&mut self, start: Instant) {
        self.alive_until += start.elapsed();
        self.in_use_until += start.elapsed();
    }

    /// Waits for what is due next.
    pub async fn next(&mut self) -> Beat {
        sleep_until(self.alive_until.min(self.in_use_until)).await;

        if self.in_use_until <= self.alive_until {
            Beat::Idle
        } else if self.asked {
            Beat::Gone
        } else {
            // From now, and not from when we should have asked: after a stop of the
            // whole server, everybody has to have time to answer.
            self.alive_until = Instant::now() + PONG_WITHIN;
            self.asked = true;
            Beat::Ask
        }
    }
}
