//! The heartbeat of one client: when to send a ping, and when to close.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long a client may be silent before we send a ping.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the pong may take. Then the connection counts as lost.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may stay that answers pings, but that nobody uses.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// A deadline that we notice so late is none: the server itself has stood still, and may not
/// have read yet what has come.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What counts as use of a client.
#[derive(Clone, Copy, PartialEq)]
pub enum Activity {
    /// What a person sends. The pings of a page do not show that somebody is there.
    Messages,
    /// Any traffic, because the client is here to receive, and need not send anything.
    Traffic,
}

/// What is due.
pub enum Due {
    /// To send a ping: nothing has come for a while.
    Ping,
    /// To close: the ping had no answer.
    NoPong,
    /// To close: the client answers, but nobody uses it.
    Idle,
}

/// What is due for one client, and when.
pub struct Heartbeat {
    /// When a ping or, after one, the pong is due. Traffic postpones it.
    alive_until: Instant,
    /// Whether we wait for a pong.
    ping_sent: bool,
    /// When the client counts as idle. Use postpones it.
    active_until: Instant,
    activity: Activity,
}

impl Heartbeat {
    pub fn new(activity: Activity) -> Self {
        let now = Instant::now();
        Self {
            alive_until: now + PING_INTERVAL,
            ping_sent: false,
            active_until: now + IDLE_TIMEOUT,
            activity,
        }
    }

    /// The client has sent something: a pong, a ping, or a message.
    pub fn received(&mut self) {
        self.alive_until = Instant::now() + PING_INTERVAL;
        self.ping_sent = false;
        if self.activity == Activity::Traffic {
            self.used();
        }
    }

    /// Somebody uses the client.
    pub fn used(&mut self) {
        self.active_until = Instant::now() + IDLE_TIMEOUT;
    }

    /// Waits for what is due next. Cancel safe.
    pub async fn due(&mut self) -> Due {
        sleep_until(self.alive_until.min(self.active_until)).await;

        let stood_still = self.alive_until.elapsed() > STANDSTILL;
        if self.active_until <= self.alive_until {
            Due::Idle
        } else if self.ping_sent && !stood_still {
            Due::NoPong
        } else {
            // From now, and not from when the ping was due: after a pause of the whole
            // server, every client has to have time to answer.
            self.alive_until = Instant::now() + PONG_TIMEOUT;
            self.ping_sent = true;
            Due::Ping
        }
    }
}
