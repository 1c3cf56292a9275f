//! Telemetry: what the server says about itself. For now that is its log.

use std::io;

use tracing_appender::non_blocking::WorkerGuard;

/// Writes the log to standard output until the guard is dropped.
///
/// Nobody waits for it: when nobody reads the output, lines are lost, and the server goes
/// on.
pub fn init() -> WorkerGuard {
    let (log, guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();
    guard
}
