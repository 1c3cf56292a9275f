//! The metrics at an address of their own, where no stranger comes.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::metrics::Metrics;

/// What the text of the metrics is (openmetrics.io).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `GET /metrics` at this address until the program ends: no mistake in a route or in a
/// proxy shows them to everybody.
///
/// The error is a sentence for the person who started the program.
pub async fn serve_metrics(addr: SocketAddr, metrics: Metrics) -> Result<(), String> {
    let failed =
        |error| format!("CHAT_METRICS_ADDR is {addr}, which cannot be used: {error}.");
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    // Port 0 means "any free port", so we ask which one it became.
    info!(addr = %listener.local_addr().unwrap_or(addr), "metrics are at /metrics");
    let app = Router::new().route("/metrics", get(metrics_text)).with_state(metrics);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            warn!(%error, "nobody gets the metrics any more");
        }
    });
    Ok(())
}

async fn metrics_text(State(metrics): State<Metrics>) -> Response {
    ([(CONTENT_TYPE, OPENMETRICS)], metrics.text()).into_response()
}
