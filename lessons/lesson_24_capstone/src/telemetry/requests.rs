//! What is to be known of requests: which part answers, with which status, after how long.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    labels::{GONE, part, status},
    metrics::Metrics,
};

/// Counts and measures all requests that reach the application, those included that are
/// rejected before a handler. The time of a WebSocket is that of its handshake.
///
/// (What hyper cannot read it answers by itself.)
pub async fn observe_requests(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let part = part(request.uri().path());
    let mut observed = Observed { metrics, part, start: Instant::now(), status: GONE };

    let response = next.run(request).await;

    observed.status = status(response.status());
    // Why nothing of the request? Its path may have a token in it.
    debug!(part, status = response.status().as_u16(), "request answered");
    response
}

/// A request that is counted at its end, also if its client does not wait for the answer: then
/// hyper drops the handler, and with it this guard.
struct Observed {
    metrics: Metrics,
    part: &'static str,
    start: Instant,
    status: &'static str,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let (part, status) = (("part", self.part), ("status", self.status));
        self.metrics.requests.get_or_create(&[part, status]).inc();
        let time = self.metrics.request_time.get_or_create(&[part]);
        time.observe(self.start.elapsed().as_secs_f64());
    }
}
