//! The log: how much it says, and what its lines look like.

use std::io;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::config::{Config, LogFormat};

/// Writes the log to standard output until the guard is dropped.
///
/// Nobody waits for it: when nobody reads the output, lines are lost, and the server goes
/// on.
pub fn init(config: &Config) -> WorkerGuard {
    let (log, guard) = tracing_appender::non_blocking(io::stdout());
    let filter = config
        .log_filter
        .clone()
        // These repeat what a client has sent, and that may be a password or a token.
        .with_target("axum::rejection", LevelFilter::OFF)
        // The client of the broker has a line for each try to connect. `cluster/broker.rs` has
        // one for all.
        .with_target("async_nats", LevelFilter::OFF);
    let builder = fmt().with_writer(log).with_max_level(LevelFilter::TRACE);

    match config.log_format {
        LogFormat::Text => builder.finish().with(filter).init(),
        LogFormat::Json => {
            let json = builder.json().flatten_event(true).with_span_list(false);
            json.finish().with(filter).init();
        }
    }
    guard
}
