//! The runtime on which everything runs: how late it is, how busy its threads are, and whether
//! this server should get more clients.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use crate::metrics::Metrics;

/// How long the task sleeps that measures the lag.
const TICK: Duration = Duration::from_millis(100);

/// With a larger lag, in seconds, the server should get no more clients.
const MAX_LAG: f64 = 0.1;

/// Measures, again and again, how late a task wakes up.
///
/// All tasks share the threads of the runtime. If one of them computes, or waits without
/// `await`, others wake up late, and this one with them. The same if the whole process got no
/// processor.
pub async fn measure_lag(metrics: Metrics) {
    let (tokio, mut counted) = (Handle::current().metrics(), Duration::ZERO);
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        let lag = due.elapsed().as_secs_f64();

        metrics.lag.observe(lag);
        // A moving average: each new value counts a tenth, and so do the old ones, less and less.
        metrics.recent_lag.set(0.9 * metrics.recent_lag.get() + 0.1 * lag);

        // For each of its threads tokio counts the time in which there was something to do.
        let busy = |thread| tokio.worker_total_busy_duration(thread);
        let busy: Duration = (0..tokio.num_workers()).map(busy).sum();
        metrics.busy.inc_by((busy - counted).as_secs_f64());
        counted = busy;
    }
}

/// `GET /health`: the process answers. If it does not, start it again.
pub async fn health() -> &'static str {
    "healthy"
}

/// `GET /ready`: whether a load balancer should send more clients. Those who are connected
/// stay, so this is no reason to start anything again.
pub async fn ready(State(metrics): State<Metrics>) -> (StatusCode, &'static str) {
    if metrics.recent_lag.get() > MAX_LAG {
        return (StatusCode::SERVICE_UNAVAILABLE, "too busy");
    }
    (StatusCode::OK, "ready")
}
