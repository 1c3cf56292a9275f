//! Telemetry: what the server says about itself. For now that is its log.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Writes the log to standard output until the guard is dropped.
///
/// Nobody waits for it: when nobody reads the output, lines are lost, and the server goes
/// on.
pub fn init() -> WorkerGuard {
    let (log, guard) = tracing_appender::non_blocking(io::stdout());
    // The client of the broker has a line for each try to connect. `cluster/broker.rs` has one
    // for all.
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("async_nats", LevelFilter::OFF);
    tracing_subscriber::fmt().with_writer(log).finish().with(levels).init();
    guard
}
