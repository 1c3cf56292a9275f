//! What is to be known of one connection: how its handshake was answered, how long it lasts,
//! and how it ends.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use lesson_08_auth::{Disconnect, RoomName, Username};
use tokio::time::Instant;
use tracing::{Span, debug, field::Empty, info, info_span};

use crate::{
    labels::{Cause, Outcome},
    metrics::Metrics,
};

/// Measures a handshake: from the request until its answer, the check of the token included.
///
/// It is a middleware, because a handler does not run for those who are rejected.
pub async fn observe_handshake(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();

    let response = next.run(request).await;

    let status = response.status();
    let duration = start.elapsed().as_secs_f64();
    let labels = Outcome::from(status).label();
    metrics.handshakes.get_or_create(&labels).observe(duration);
    // Why nothing of the request? Its path may have the token in it, and it is as long as a
    // stranger wants.
    debug!(status = status.as_u16(), "handshake answered");
    response
}

/// A connection that is open, for as long as this guard lives.
pub struct Connection {
    metrics: Metrics,
    start: Instant,
    cause: Option<Cause>,
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
        self.count(disconnect.into());
        if let Disconnect::ByUs(code, _)
        | Disconnect::Violation(code, _)
        | Disconnect::ByClient(Some(code)) = disconnect
        {
            self.span.record("code", code);
        }
    }

    fn count(&mut self, cause: Cause) {
        self.cause = Some(cause);
        self.metrics.disconnects.get_or_create(&cause.label()).inc();
        self.span.record("cause", cause.as_str());
    }
}

/// Why here, and not at the end of the handler? A handler that panics has no end, but what it
/// owns is dropped.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.cause.is_none() {
            self.count(Cause::Panic);
        }
        self.metrics.connections.dec();
        self.span.record("seconds", self.start.elapsed().as_secs_f64());
        info!(parent: &self.span, "client disconnected");
    }
}
