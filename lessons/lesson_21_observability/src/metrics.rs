//! What the server counts and measures, and its text for Prometheus.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{
        Registry,
        Unit::{Other, Seconds},
    },
};

use crate::{
    labels::{Cause, Kind, Label, Outcome},
    runtime::RuntimeCollector,
};

/// The upper limits of the buckets for a duration: from a tenth of a millisecond to the ten
/// seconds after which a write fails. What takes longer is in one more bucket, without a limit.
const DURATIONS: [f64; 13] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0,
];

/// The same for an outbox: the part of its places that is taken.
const FILLS: [f64; 7] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0];

/// All metrics. It is only a handle: clone it freely. All clones count together.
#[derive(Clone)]
pub struct Metrics {
    pub connections: Gauge,
    pub handshakes: Family<Label, Histogram>,
    pub joins: Counter,
    messages: Family<Label, Counter>,
    /// The counters of `messages`, in the order of [`Kind`]: for each message, to find one in
    /// the family would take longer than to count.
    received: [Counter; Kind::ALL.len()],
    pub deliveries: Counter,
    pub disconnects: Family<Label, Counter>,
    pub outbox: Histogram,
    pub broadcast: Histogram,
    pub write_wait: Histogram,
    pub lag: Histogram,
    /// The lag in the last few seconds.
    pub recent_lag: Gauge<f64, AtomicU64>,
    /// All of these, with the names under which Prometheus knows them.
    registry: Arc<Registry>,
}

impl Metrics {
    /// Metrics that are all at zero. Call it in the runtime that is to be measured.
    pub fn new() -> Self {
        let messages = Family::<Label, Counter>::default();
        let mut metrics = Self {
            connections: Gauge::default(),
            handshakes: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            joins: Counter::default(),
            received: Kind::ALL.map(|kind| messages.get_or_create_owned(&kind.label())),
            messages,
            deliveries: Counter::default(),
            disconnects: Family::default(),
            outbox: Histogram::new(FILLS),
            broadcast: Histogram::new(DURATIONS),
            write_wait: Histogram::new(DURATIONS),
            lag: Histogram::new(DURATIONS),
            recent_lag: Gauge::default(),
            registry: Arc::default(),
        };

        // Why now? What appears with its first event was never seen at zero, so Prometheus
        // would not see it increase.
        for outcome in Outcome::ALL {
            drop(metrics.handshakes.get_or_create(&outcome.label()));
        }
        for cause in Cause::ALL {
            drop(metrics.disconnects.get_or_create(&cause.label()));
        }

        metrics.registry = Arc::new(metrics.register());
        metrics
    }

    /// Counts a message of a client.
    pub fn received(&self, kind: Kind) {
        self.received[kind as usize].inc();
    }

    /// Gives each metric its name, and a sentence for whoever meets that.
    ///
    /// The registry writes `chat_` before a name, its unit behind it, and then `_total`, if it
    /// is a counter.
    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix("chat");

        let connections = self.connections.clone();
        registry.register("connections", "Connections that are open", connections);
        let joins = self.joins.clone();
        registry.register("joins", "Clients that have joined a room", joins);
        let messages = self.messages.clone();
        registry.register("messages", "Messages that clients have sent", messages);
        let deliveries = self.deliveries.clone();
        registry.register("deliveries", "Messages written to clients", deliveries);
        let disconnects = self.disconnects.clone();
        registry.register("disconnects", "Connections that have ended", disconnects);

        let outbox = self.outbox.clone();
        let help = "How full an outbox was when its task emptied it";
        let ratio = Other("ratio".into());
        registry.register_with_unit("outbox_fill", help, ratio, outbox);

        let mut duration = |name: &str, help: &str, histogram: &Histogram| {
            registry.register_with_unit(name, help, Seconds, histogram.clone());
        };
        let help = "From a chat's arrival until it is in all outboxes";
        duration("broadcast", help, &self.broadcast);
        let help =
            "How long a write had to wait for the client's connection, if it had to";
        duration("write_wait", help, &self.write_wait);
        let help = "How late a task woke up that slept for 100 milliseconds";
        duration("runtime_lag", help, &self.lag);

        let help = "From the request until its answer";
        registry.register_with_unit("handshake", help, Seconds, self.handshakes.clone());
        let (help, recent) = ("The lag in the last few seconds", self.recent_lag.clone());
        registry.register_with_unit("runtime_recent_lag", help, Seconds, recent);
        registry.register_collector(Box::new(RuntimeCollector::new()));
        registry
    }

    /// All metrics as text, in the format OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes any text");
        text
    }

    /// All metrics by their names, with their labels, as they stand in the text.
    pub fn samples(&self) -> BTreeMap<String, f64> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| line.rsplit_once(' '));
        samples
            .map(|(name, value)| (name.into(), value.parse().unwrap_or(f64::NAN)))
            .collect()
    }
}
