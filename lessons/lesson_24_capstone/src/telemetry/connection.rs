//! What is to be known of one WebSocket: whose it is, how long it lasts, and how it ends.

use tokio::time::Instant;
use tracing::{
    Span,
    field::{Empty, display},
    info, info_span,
};

use super::{labels::Socket, metrics::Metrics};
use crate::names::{RoomName, Username};

/// The cause of a connection whose task has ended without one.
pub const PANIC: &str = "panic";

/// A WebSocket that is open, for as long as this guard lives.
pub struct Connection {
    pub metrics: Metrics,
    socket: Socket,
    start: Instant,
    has_cause: bool,
    /// What is logged within it says whose connection that was.
    pub span: Span,
}

impl Connection {
    pub fn new(metrics: Metrics, socket: Socket, username: &Username) -> Self {
        metrics.connections.get_or_create(&socket.label()).inc();
        let span = info_span!(
            "connection",
            socket = socket.name(),
            %username,
            room = Empty,
            cause = Empty,
            code = Empty,
            seconds = Empty,
        );
        Self { metrics, socket, start: Instant::now(), has_cause: false, span }
    }

    /// It is a connection of this room.
    pub fn enters(&self, room: &RoomName) {
        self.span.record("room", display(room));
    }

    /// Notes how it ends. The closing handshake comes after that, and may take longer than the
    /// program has when it stops.
    ///
    /// The code is in the log alone: a client may choose its own, out of some thousand.
    pub fn ends(&mut self, cause: &'static str, code: Option<u16>) {
        self.has_cause = true;
        self.metrics.disconnects.get_or_create(&[("cause", cause)]).inc();
        self.span.record("cause", cause);
        if let Some(code) = code {
            self.span.record("code", code);
        }
        self.span.record("seconds", self.start.elapsed().as_secs_f64());
        info!(parent: &self.span, "client disconnected");
    }
}

/// Why here, and not at the end of the handler? A handler that panics has no end, but what it
/// owns is dropped.
impl Drop for Connection {
    fn drop(&mut self) {
        if !self.has_cause {
            self.ends(PANIC, None);
        }
        self.metrics.connections.get_or_create(&self.socket.label()).dec();
    }
}
