//! What the server counts and measures, and its text for Prometheus.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit::Seconds},
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use super::labels::{Labels, ROUTES, STATUSES, Socket};

/// The upper limits of the buckets, from a tenth of a millisecond to the ten seconds after
/// which a write fails. What takes longer is in one more bucket, without a limit.
const DURATIONS: [f64; 13] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0,
];

/// How long the task sleeps that measures how late the runtime is.
const TICK: Duration = Duration::from_millis(100);

/// All metrics. All clones count together.
#[derive(Clone)]
pub struct Metrics {
    pub(super) connections: Family<Labels<1>, Gauge>,
    pub(super) disconnects: Family<Labels<1>, Counter>,
    pub(super) requests: Family<Labels<2>, Counter>,
    pub(super) request_time: Family<Labels<1>, Histogram>,
    /// Texts and binary messages of clients.
    pub messages: Counter,
    /// Pings and pongs of clients, and what ends a connection.
    pub control_frames: Counter,
    /// Those of the messages that came too fast, and were answered with an error.
    pub refused: Counter,
    pub joins: Counter,
    /// What was in an outbox, and was written to its client.
    pub deliveries: Counter,
    /// How often a client did not keep up, and had to go on from the log.
    pub behind: Counter,
    append_time: Histogram,
    write_wait: Histogram,
    lag: Histogram,
    busy: Counter<f64, AtomicU64>,
    /// All of these, with the names under which Prometheus knows them.
    registry: Arc<Registry>,
}

impl Metrics {
    /// Metrics that are all at zero. `causes` are the reasons for which a connection may end.
    ///
    /// Why are all series there from the beginning? What appears with its first event was
    /// never seen at zero, so Prometheus would not see it increase.
    pub fn new(causes: impl IntoIterator<Item = &'static str>) -> Self {
        let histogram = || Histogram::new(DURATIONS);
        let mut metrics = Self {
            connections: Family::default(),
            disconnects: Family::default(),
            requests: Family::default(),
            request_time: Family::new_with_constructor(histogram),
            messages: Counter::default(),
            control_frames: Counter::default(),
            refused: Counter::default(),
            joins: Counter::default(),
            deliveries: Counter::default(),
            behind: Counter::default(),
            append_time: histogram(),
            write_wait: histogram(),
            lag: histogram(),
            busy: Counter::default(),
            registry: Arc::default(),
        };
        for socket in Socket::ALL {
            drop(metrics.connections.get_or_create(&socket.label()));
        }
        for cause in causes {
            drop(metrics.disconnects.get_or_create(&[("cause", cause)]));
        }
        for route in ROUTES {
            drop(metrics.request_time.get_or_create(&[("route", route)]));
            for status in STATUSES {
                let labels = [("route", route), ("status", status)];
                drop(metrics.requests.get_or_create(&labels));
            }
        }
        metrics.registry = Arc::new(metrics.register());
        metrics
    }

    /// The log has a chat that came at this time.
    pub fn appended(&self, since: Instant) {
        self.append_time.observe(since.elapsed().as_secs_f64());
    }

    /// A write had to wait for the client's connection.
    pub fn waited(&self, since: Instant) {
        self.write_wait.observe(since.elapsed().as_secs_f64());
    }

    /// Gives each metric its name, and a sentence for whoever meets that.
    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix("chat");
        let connections = self.connections.clone();
        registry.register("connections", "WebSockets that are open", connections);
        let disconnects = self.disconnects.clone();
        registry.register("disconnects", "WebSockets that have ended", disconnects);
        let requests = self.requests.clone();
        registry.register("requests", "Requests that were answered", requests);
        for (name, help, counter) in [
            ("messages", "Messages that clients have sent", &self.messages),
            ("control_frames", "Pings and pongs of clients", &self.control_frames),
            ("refused", "Messages that came too fast", &self.refused),
            ("joins", "Clients that have joined a room", &self.joins),
            ("deliveries", "Messages of outboxes, written", &self.deliveries),
            ("behind", "Times that a client went on from the log", &self.behind),
        ] {
            registry.register(name, help, counter.clone());
        }
        let help = "Time in which the threads had something to do";
        registry.register_with_unit("runtime_busy", help, Seconds, self.busy.clone());

        let help = "From a request until its answer";
        registry.register_with_unit("request", help, Seconds, self.request_time.clone());
        let mut duration = |name: &str, help: &str, histogram: &Histogram| {
            registry.register_with_unit(name, help, Seconds, histogram.clone());
        };
        let help = "From the arrival of a chat until the log has it";
        duration("append", help, &self.append_time);
        let help = "How long a write waited for the client's connection, if it had to";
        duration("write_wait", help, &self.write_wait);
        let help = "How late a task woke up that slept for 100 milliseconds";
        duration("runtime_lag", help, &self.lag);
        registry
    }

    /// All metrics as text, in the format OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes any text");
        text
    }
}

/// Measures, again and again, how late a task wakes up, and how busy the threads are.
///
/// If all threads compute, or wait without `await`, all tasks wake up late. If one does, it is
/// only seen in how busy they are.
pub async fn measure_lag(metrics: Metrics) {
    let (tokio, mut counted) = (Handle::current().metrics(), Duration::ZERO);
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        metrics.lag.observe(due.elapsed().as_secs_f64());

        let busy = |thread| tokio.worker_total_busy_duration(thread);
        let busy: Duration = (0..tokio.num_workers()).map(busy).sum();
        metrics.busy.inc_by((busy - counted).as_secs_f64());
        counted = busy;
    }
}
