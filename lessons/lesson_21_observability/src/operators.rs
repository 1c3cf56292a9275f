//! Who may see the metrics: whoever reaches `METRICS_ADDR`, and operators who have signed in.

use std::{env, time::Duration};

use axum::{
    extract::{State, ws::Message},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use lesson_08_auth::{Disconnect, Session, SessionUpgrade, encode};
use serde_json::json;
use tokio::{
    net::TcpListener,
    select,
    time::{MissedTickBehavior, interval},
};
use tracing::info;

use crate::metrics::Metrics;

/// Who may see the live metrics.
const OPERATORS: [&str; 1] = ["ana"];

/// A Close, and no status: the page of somebody else can show it (RFC 6455, section 7.4.1).
const FOR_OPERATORS: Disconnect =
    Disconnect::ByUs(1008, "only operators get the metrics");

/// How often a page gets them.
const PERIOD: Duration = Duration::from_secs(1);

/// Where Prometheus finds the metrics, unless `METRICS_ADDR` says otherwise: only programs on
/// the same machine can connect there.
pub const DEFAULT_ADDR: &str = "127.0.0.1:8001";

/// What the text of the metrics is (openmetrics.io).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Opens a port of its own for the metrics, so that no mistake in a route or in a proxy shows
/// them to everybody.
///
/// The error is a sentence for the person who started the program.
pub async fn listen() -> Result<TcpListener, String> {
    let addr = env::var("METRICS_ADDR").unwrap_or_else(|_| DEFAULT_ADDR.into());
    let failed = |error| {
        format!(
            "METRICS_ADDR={addr} cannot be used: {error}. An address and a free port are \
             needed, as in {DEFAULT_ADDR}."
        )
    };
    let listener = TcpListener::bind(&addr).await.map_err(failed)?;
    // Port 0 means "any free port", so we ask which one it became.
    info!(addr = %listener.local_addr().map_err(failed)?, "metrics are at /metrics");
    Ok(listener)
}

/// `GET /metrics`: what Prometheus asks for every few seconds.
pub async fn metrics_text(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], metrics.text())
}

/// The metrics as they change, for the page of an operator.
pub async fn live_metrics(
    upgrade: SessionUpgrade,
    State(metrics): State<Metrics>,
) -> Response {
    upgrade.on_upgrade(|mut session| async move {
        let disconnect = match OPERATORS.contains(&session.username.as_str()) {
            true => send_metrics(&mut session, &metrics).await,
            false => FOR_OPERATORS,
        };
        session.close(&disconnect).await;
    })
}

/// Sends the metrics once in each period, until one of the two ends the connection.
async fn send_metrics(session: &mut Session, metrics: &Metrics) -> Disconnect {
    let mut ticks = interval(PERIOD);
    // After a write that took long, the next one is due a whole period later.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);

    loop {
        let result = select! {
            received = session.recv() => received.map(drop), // Whatever it says.
            _ = ticks.tick() => {
                let samples = json!({ "type": "metrics", "samples": metrics.samples() });
                session.send_all([Message::Text(encode(&samples))]).await
            }
        };
        if let Err(disconnect) = result {
            return disconnect;
        }
    }
}
