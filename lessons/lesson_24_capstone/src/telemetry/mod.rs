//! Telemetry: what the server says about itself, in its log and in its metrics.

mod connection;
mod exporter;
mod labels;
mod logging;
mod metrics;
mod requests;

pub use self::{
    connection::{Connection, PANIC},
    exporter::serve_metrics,
    labels::Socket,
    logging::init,
    metrics::{Metrics, measure_lag},
    requests::observe_requests,
};
