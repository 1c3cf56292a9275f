//! The runtime on which everything runs: how late it is, what it says of itself, and whether
//! this server should get more clients.

use std::{fmt, time::Duration};

use axum::{extract::State, http::StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use tokio::{
    runtime::{Handle, RuntimeMetrics},
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
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        let lag = due.elapsed().as_secs_f64();

        metrics.lag.observe(lag);
        // A moving average: each new value counts a tenth, and so do the old ones, less and less.
        metrics.recent_lag.set(0.9 * metrics.recent_lag.get() + 0.1 * lag);
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

/// What tokio counts by itself. It is read when somebody asks for the metrics.
#[derive(Debug)]
pub struct RuntimeCollector(RuntimeMetrics);

impl RuntimeCollector {
    pub fn new() -> Self {
        Self(Handle::current().metrics())
    }
}

impl Collector for RuntimeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: usize| {
            let gauge = ConstGauge::new(value as u64);
            let metric = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, help, None, metric)?)
        };
        let RuntimeCollector(tokio) = self;
        gauge("runtime_workers", "Threads that run tasks.", tokio.num_workers())?;
        gauge("runtime_tasks", "Tasks that have not ended.", tokio.num_alive_tasks())?;
        let waiting = tokio.global_queue_depth();
        gauge("runtime_queued_tasks", "Tasks that no thread has taken yet.", waiting)?;

        let busy = (0..tokio.num_workers())
            .map(|worker| tokio.worker_total_busy_duration(worker));
        let busy = ConstCounter::new(busy.sum::<Duration>().as_secs_f64());
        let (name, help) =
            ("runtime_busy", "Time in which these threads had something to do.");
        let metric = busy.metric_type();
        busy.encode(encoder.encode_descriptor(
            name,
            help,
            Some(&Unit::Seconds),
            metric,
        )?)
    }
}
