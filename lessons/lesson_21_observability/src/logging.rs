//! Where the log goes, what it looks like, and how much it says.

use std::{env, io};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Begins to log to standard output: lines for people, or one JSON object in each line if
/// `LOG_FORMAT` is `json`. `RUST_LOG` says how much, as in `warn` or `lesson_21_observability=debug`.
///
/// Keep the guard until the end of the program: it writes what still waits. The error is a
/// sentence for the person who started the program.
pub fn init() -> Result<WorkerGuard, String> {
    let filter = env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
    let filter: Targets = filter.parse().map_err(|error| {
        format!("RUST_LOG has {filter:?}, which is no filter: {error}.")
    })?;
    // Why not this one? It repeats what a client has sent, and that may be a password.
    let filter = filter.with_target("axum::rejection", LevelFilter::OFF);
    let (log, guard) = tracing_appender::non_blocking(io::stdout());
    let builder = fmt().with_writer(log).with_max_level(LevelFilter::TRACE);

    match env::var("LOG_FORMAT").as_deref() {
        Ok("json") => {
            let json = builder.json().flatten_event(true).with_span_list(false);
            json.finish().with(filter).init();
        }
        Err(_) | Ok("text" | "") => builder.finish().with(filter).init(),
        Ok(other) => {
            return Err(format!(
                "LOG_FORMAT has {other:?}, but should have text or json."
            ));
        }
    }
    Ok(guard)
}
