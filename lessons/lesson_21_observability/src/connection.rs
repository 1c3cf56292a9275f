//! What is to be known of one connection: how its handshake was answered, how long it lasts,
//! and how it ends. And who did not get that far.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use lesson_08_auth::{Disconnect, RoomName, Username};
use tokio::time::Instant;
use tracing::{Span, debug, field::Empty, info, info_span};

use crate::{
    labels::{cause, outcome},
    metrics::Metrics,
};

/// Measures a handshake, from the request until its answer, the check of the token included.
/// An attempt to sign in is only counted.
///
/// It is a middleware, because a handler does not run for those who are rejected.
pub async fn observe_entry(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let path = request.uri().path();
    let (is_sign_in, is_handshake) = (path == "/login", path.starts_with("/ws/"));

    let response = next.run(request).await;

    let status = response.status();
    let label = [("outcome", outcome(status))];
    if is_sign_in {
        metrics.sign_ins.get_or_create(&label).inc();
    } else if is_handshake {
        metrics.handshakes.get_or_create(&label).observe(start.elapsed().as_secs_f64());
        // Why nothing of the request? Its path may have the token in it, and it is as long as
        // a stranger wants.
        debug!(status = status.as_u16(), "handshake answered");
    }
    response
}

/// A connection that is open, for as long as this guard lives.
pub struct Connection {
    metrics: Metrics,
    start: Instant,
    cause: Option<&'static str>,
    /// What is logged within it says who that was, and in which room.
    pub span: Span,
}

impl Connection {
    pub fn new(metrics: &Metrics, room: &RoomName, username: &Username) -> Self {
        metrics.connections.inc();
        let span = info_span!(
            "connection", %room, %username, cause = Empty, code = Empty, seconds = Empty
        );
        Self { metrics: metrics.clone(), start: Instant::now(), cause: None, span }
    }

    /// Notes how it ends. The closing handshake may come after that, and take a while.
    pub fn ends(&mut self, disconnect: &Disconnect) {
        self.count(cause(disconnect));
        if let Disconnect::ByUs(code, _)
        | Disconnect::Violation(code, _)
        | Disconnect::ByClient(Some(code)) = disconnect
        {
            self.span.record("code", code);
        }
    }

    fn count(&mut self, cause: &'static str) {
        self.cause = Some(cause);
        self.metrics.disconnects.get_or_create(&[("cause", cause)]).inc();
        self.span.record("cause", cause);
    }
}

/// Why here, and not at the end of the handler? A handler that panics has no end, but what it
/// owns is dropped.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.cause.is_none() {
            self.count("panic");
        }
        self.metrics.connections.dec();
        self.span.record("seconds", self.start.elapsed().as_secs_f64());
        info!(parent: &self.span, "client disconnected");
    }
}
