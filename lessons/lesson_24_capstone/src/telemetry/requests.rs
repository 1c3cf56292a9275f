//! What is to be known of requests: which route answers, with which status, after how long.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    labels::{GONE, route, status},
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
    let route = route(request.uri().path());
    let mut observed = Observed { metrics, route, start: Instant::now(), status: GONE };

    let response = next.run(request).await;

    observed.status = status(response.status());
    // Why nothing of the request? Its path may have a token in it.
    debug!(route, status = response.status().as_u16(), "request answered");
    response
}

/// A request that is counted at its end, also if its client does not wait for the answer: then
/// hyper drops the handler, and with it this guard.
struct Observed {
    metrics: Metrics,
    route: &'static str,
    start: Instant,
    status: &'static str,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let (route, status) = (("route", self.route), ("status", self.status));
        self.metrics.requests.get_or_create(&[route, status]).inc();
        let time = self.metrics.request_time.get_or_create(&[route]);
        time.observe(self.start.elapsed().as_secs_f64());
    }
}
