//! One connection, whoever is at its other end: its heartbeat, and how much may come.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::ws::{Message, Utf8Bytes, WebSocket, close_code},
};
use tokio::{select, time::Instant};

use crate::{
    heartbeat::{Due, Heartbeat},
    socket::{self, Disconnect},
};

/// How many messages may come at once, after a pause.
pub const BURST: u32 = 20;

/// How long it takes until one more may come. Learners send one a second at most, and as a
/// rule one each time they save a file.
pub const MESSAGE_INTERVAL: Duration = Duration::from_millis(500);

const NO_PONG: Disconnect = Disconnect::ByUs(4010, "no sign of life");
const TOO_MUCH: Disconnect = Disconnect::ByUs(close_code::POLICY, "too many messages");
const BINARY: Disconnect =
    Disconnect::ByUs(close_code::UNSUPPORTED, "this board reads text, not binary");

/// A socket that notices when the other end is gone, or sends too much.
pub struct Connection {
    socket: WebSocket,
    heartbeat: Heartbeat,
    rate: RateLimiter,
}

impl Connection {
    pub fn new(socket: WebSocket) -> Self {
        Self { socket, heartbeat: Heartbeat::new(), rate: RateLimiter::new() }
    }

    /// The next text, or `None` when a ping is due. Cancel safe.
    pub async fn recv(&mut self) -> Result<Option<Utf8Bytes>, Disconnect> {
        loop {
            let message = select! {
                // In this order, and not at random: what has come is in time.
                biased;
                received = self.socket.recv() => received.ok_or(Disconnect::Lost)??,
                due = self.heartbeat.due() => match due {
                    // Why not send it here? Whoever drops us while we write would lose it.
                    Due::Ping => return Ok(None),
                    Due::NoPong => return Err(NO_PONG),
                    Due::Idle => {
                        // A page is looked at, and a learner thinks. Neither is idle.
                        self.heartbeat.used();
                        continue;
                    }
                },
            };
            self.heartbeat.received();
            match message {
                Message::Pong(_) => {}
                Message::Close(frame) => {
                    return Err(Disconnect::ByClient(frame.map(|frame| frame.code)));
                }
                _ if !self.rate.allows() => return Err(TOO_MUCH),
                Message::Ping(_) => {} // The library answers it.
                Message::Text(text) => return Ok(Some(text)),
                Message::Binary(_) => return Err(BINARY),
            }
        }
    }

    pub async fn ping(&mut self) -> Result<(), Disconnect> {
        self.send_all([Message::Ping(Bytes::new())]).await
    }

    pub async fn send(&mut self, text: Utf8Bytes) -> Result<(), Disconnect> {
        self.send_all([Message::Text(text)]).await
    }

    /// Writes all of these messages, in one go.
    pub async fn send_all(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), Disconnect> {
        socket::send_all(&mut self.socket, messages).await
    }

    pub async fn close(self, disconnect: &Disconnect) {
        socket::close(self.socket, disconnect).await;
    }
}

/// A token bucket, kept as one moment: when it would be full again (GCRA, as in lesson 10).
struct RateLimiter {
    full_at: Instant,
}

impl RateLimiter {
    fn new() -> Self {
        Self { full_at: Instant::now() }
    }

    /// Whether one more message may come now.
    fn allows(&mut self) -> bool {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + MESSAGE_INTERVAL;
        let allowed = full_at - now <= BURST * MESSAGE_INTERVAL;
        if allowed {
            self.full_at = full_at;
        }
        allowed
    }
}
