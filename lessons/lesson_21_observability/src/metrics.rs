//! What the server counts and measures, and its text for Prometheus.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{
        Metric, Registry,
        Unit::{Other, Seconds},
    },
};

use crate::labels::{CAUSES, KINDS, Label, OUTCOMES};

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
    pub sign_ins: Family<Label, Counter>,
    pub joins: Counter,
    /// A counter for each of the [`KINDS`]. Why not their family? For each message, to find
    /// one in there would take longer than to count.
    pub messages: Arc<BTreeMap<&'static str, Counter>>,
    pub deliveries: Counter,
    pub disconnects: Family<Label, Counter>,
    pub outbox: Histogram,
    pub broadcast: Histogram,
    pub write_wait: Histogram,
    pub lag: Histogram,
    /// The lag in the last few seconds.
    pub recent_lag: Gauge<f64, AtomicU64>,
    pub busy: Counter<f64, AtomicU64>,
    /// All of these, with the names under which Prometheus knows them.
    registry: Arc<Registry>,
}

impl Metrics {
    /// Metrics that are all at zero, each with its name, and a few words for whoever meets it.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("chat");
        let to = &mut registry;
        let duration = |to: &mut Registry, name, help| {
            measure(to, name, help, Histogram::new(DURATIONS))
        };
        let handshakes =
            Family::<_, _>::new_with_constructor(|| Histogram::new(DURATIONS));
        let kinds = count::<Family<Label, Counter>>(to, "messages", "What clients sent");
        let counter = |kind| (kind, kinds.get_or_create_owned(&[("kind", kind)]));
        let (outbox, ratio) = (Histogram::new(FILLS), Other("ratio".into()));
        let help = "How full an outbox was when its task emptied it";
        to.register_with_unit("outbox_fill", help, ratio, outbox.clone());

        let metrics = Self {
            connections: count(to, "connections", "Connections that are open"),
            handshakes: measure(to, "handshake", "Until it is answered", handshakes),
            sign_ins: count(to, "sign_ins", "Attempts to sign in"),
            joins: count(to, "joins", "Clients that have joined a room"),
            messages: Arc::new(KINDS.map(counter).into()),
            deliveries: count(to, "deliveries", "Messages written to clients"),
            disconnects: count(to, "disconnects", "Connections that have ended"),
            outbox,
            broadcast: duration(to, "broadcast", "Until a chat is in all outboxes"),
            write_wait: duration(to, "write_wait", "How long a write waited, if at all"),
            lag: duration(to, "runtime_lag", "How late a task woke up after 100 ms"),
            recent_lag: measure(to, "runtime_recent_lag", "Recent lag", Gauge::default()),
            busy: measure(to, "runtime_busy", "Work of all threads", Counter::default()),
            registry: Arc::new(registry),
        };

        // Why now? What appears with its first event was never seen at zero, so Prometheus
        // would not see it increase.
        for outcome in OUTCOMES {
            drop(metrics.handshakes.get_or_create(&[("outcome", outcome)]));
            drop(metrics.sign_ins.get_or_create(&[("outcome", outcome)]));
        }
        for cause in CAUSES {
            drop(metrics.disconnects.get_or_create(&[("cause", cause)]));
        }
        metrics
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

/// Gives something new its name.
///
/// The registry writes `chat_` before a name, its unit behind it, and then `_total`, if it is
/// a counter.
fn count<M: Metric + Clone + Default>(to: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    to.register(name, help, metric.clone());
    metric
}

/// The same, for what is measured in seconds.
fn measure<M: Metric + Clone>(to: &mut Registry, name: &str, help: &str, metric: M) -> M {
    to.register_with_unit(name, help, Seconds, metric.clone());
    metric
}
