//! What is to be known of requests: which part answers, with which status, after how long.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    labels::{part, status},
    metrics::Metrics,
};

/// Counts and measures all requests, those included that are rejected before they reach a
/// handler. The time of a WebSocket is that of its handshake.
pub async fn observe_requests(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let part = part(request.uri().path());

    let response = next.run(request).await;

    let status = status(response.status());
    metrics.requests.get_or_create(&[("part", part), ("status", status)]).inc();
    let time = metrics.request_time.get_or_create(&[("part", part)]);
    time.observe(start.elapsed().as_secs_f64());
    // Why nothing of the request? Its path may have a token in it.
    debug!(part, status = response.status().as_u16(), "request answered");
    response
}
