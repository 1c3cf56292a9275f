//! The heartbeat of one client: when to send a ping, and when to close.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long a client may send nothing before we send a ping.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the pong may take. Then the connection counts as lost.
pub const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may stay that answers pings, but that nobody uses.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// A deadline that we notice so late is none: the server itself has stood still, and may not
/// have read yet what has come.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What is due.
#[derive(Debug, PartialEq)]
pub enum Due {
    /// To send a ping: nothing has come for a while.
    Ping,
    /// To close: nothing has come since the ping.
    NoPong,
    /// To close: the client is there, but nobody uses it.
    Idle,
}

/// What is due for one client, and when.
///
/// It has no socket and sends nothing: whoever reads from the client tells it what has come
/// ([`received`](Self::received), [`used`](Self::used)), and does what is [`due`](Self::due).
pub struct Heartbeat {
    /// When a ping is due or, after one, the Close. Whatever comes postpones it.
    alive_until: Instant,
    /// Whether we have sent a ping, and nothing has come since.
    ping_sent: bool,
    /// When the client counts as idle. Use postpones it.
    active_until: Instant,
}

impl Heartbeat {
    /// Begins now, as if the client had sent something.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            alive_until: now + PING_INTERVAL,
            ping_sent: false,
            active_until: now + IDLE_TIMEOUT,
        }
    }

    /// The client has sent something: a pong, a ping, or any other message.
    pub fn received(&mut self) {
        self.alive_until = Instant::now() + PING_INTERVAL;
        self.ping_sent = false;
    }

    /// A person uses the client.
    pub fn used(&mut self) {
        self.active_until = Instant::now() + IDLE_TIMEOUT;
    }

    /// Waits for what is due next. Cancel safe: nothing changes before it returns.
    pub async fn due(&mut self) -> Due {
        // Moments, and no durations: however often this begins again, they stay.
        sleep_until(self.alive_until.min(self.active_until)).await;

        let stood_still = self.alive_until.elapsed() > STANDSTILL;
        if self.active_until <= self.alive_until {
            Due::Idle
        } else if self.ping_sent && !stood_still {
            Due::NoPong
        } else {
            // From now, and not from when the ping was due. If the whole server had stood
            // still for a minute, no client would have time to answer.
            self.alive_until = Instant::now() + PONG_TIMEOUT;
            self.ping_sent = true;
            Due::Ping
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant, advance, timeout};

    use super::{Due, Heartbeat, IDLE_TIMEOUT, PING_INTERVAL, PONG_TIMEOUT};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn silence_is_answered_with_a_ping_and_then_with_a_close() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new();

        let first = (heartbeat.due().await, start.elapsed());
        let second = (heartbeat.due().await, start.elapsed());

        assert_eq!(first, (Due::Ping, PING_INTERVAL), "20 s without a message");
        assert_eq!(second, (Due::NoPong, PING_INTERVAL + PONG_TIMEOUT), "no answer");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_come_postpones_the_next_ping() {
        let mut heartbeat = Heartbeat::new();
        heartbeat.due().await;
        advance(PONG_TIMEOUT - SECOND).await;
        let answered = Instant::now();

        heartbeat.received();

        assert_eq!(heartbeat.due().await, Due::Ping, "the pong came in time");
        assert_eq!(answered.elapsed(), PING_INTERVAL, "counted from the pong");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_do_not_postpone_the_end_of_an_idle_session_and_use_does() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new();
        advance(SECOND).await;
        heartbeat.used();

        let pings = async {
            while heartbeat.due().await == Due::Ping {
                heartbeat.received();
            }
        };
        let pings = timeout(2 * IDLE_TIMEOUT, pings).await;

        assert_eq!(pings, Ok(()), "the session ends, whatever the browser answers");
        assert_eq!(start.elapsed(), IDLE_TIMEOUT + SECOND, "counted from the use");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_the_pong_has_all_its_time() {
        let mut heartbeat = Heartbeat::new();
        advance(60 * SECOND).await;

        let pause_ended = Instant::now();
        let first = heartbeat.due().await;
        let second = heartbeat.due().await;

        assert_eq!((first, second), (Due::Ping, Due::NoPong), "a ping comes first");
        assert_eq!(pause_ended.elapsed(), PONG_TIMEOUT, "counted from the ping");
    }

    /// What the client has sent meanwhile may be unread: timers come before sockets.
    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_passed_while_the_server_stood_still_is_none() {
        let mut heartbeat = Heartbeat::new();
        heartbeat.due().await;
        advance(60 * SECOND).await;

        let pause_ended = Instant::now();
        let first = heartbeat.due().await;
        let second = heartbeat.due().await;

        assert_eq!((first, second), (Due::Ping, Due::NoPong), "it is asked once more");
        assert_eq!(pause_ended.elapsed(), PONG_TIMEOUT, "and has all its time again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_dropped_changes_nothing() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new();

        let first = async { while timeout(SECOND, heartbeat.due()).await.is_err() {} };
        let first = timeout(2 * PING_INTERVAL, first).await;

        assert_eq!(first, Ok(()), "the wait began again 20 times, and the moment stayed");
        assert_eq!(start.elapsed(), PING_INTERVAL, "the ping is due when it was");
        assert_eq!(heartbeat.due().await, Due::NoPong, "and the ping counts as sent");
    }
}
