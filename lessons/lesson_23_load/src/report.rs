//! What was measured, and how it is put together.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::options::Options;

/// So many of a thousand deliveries may be missing, until the server does not keep up.
const MISSING: u64 = 1;

/// How many different events we keep. A server may say something else each time.
const EVENTS: usize = 20;

/// Times in microseconds, with an error of 0.1 % at most, however long they are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Vec<(u64, u64)>", from = "Vec<(u64, u64)>")]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are possible"))
    }
}

/// Each time, and how often there was one: in this form they go to another process.
impl From<Times> for Vec<(u64, u64)> {
    fn from(times: Times) -> Self {
        let recorded = times.0.iter_recorded();
        recorded.map(|it| (it.value_iterated_to(), it.count_at_value())).collect()
    }
}

impl From<Vec<(u64, u64)>> for Times {
    fn from(recorded: Vec<(u64, u64)>) -> Self {
        let mut times = Self::default();
        for (time, count) in recorded {
            times.0.record_n(time, count).expect("it grows as it needs");
        }
        times
    }
}

impl Times {
    pub fn record(&mut self, micros: u64) {
        self.0.record(micros).expect("it grows as it needs");
    }

    /// Adds the counts of others. Percentiles cannot be added, and the average of two is none.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("it grows as it needs");
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// So many of 100 took at most so many milliseconds. With 100 it is the longest of all.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1_000.0
    }
}

/// One second of a run: the messages that were due in it, whenever they came.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Second {
    /// From the moment at which a message was due until a member had it.
    pub latency: Times,
    /// How many deliveries there should be.
    pub expected: u64,
    /// How many came in this second, whenever they were due.
    pub arrived: u64,
}

impl Second {
    fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.expected += other.expected;
        self.arrived += other.arrived;
    }
}

/// What one process has measured, or all together.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Report {
    pub seconds: Vec<Second>,
    /// From the moment at which a connection was due until its handshake was over.
    pub handshakes: Times,
    /// The same, after the storm.
    pub returns: Times,
    /// How much later than it was due we sent a message.
    pub late: Times,
    /// What else happened, and how often.
    pub events: BTreeMap<String, u64>,
}

impl Report {
    pub fn for_seconds(count: u64) -> Self {
        Self { seconds: vec![Second::default(); count as usize], ..Self::default() }
    }

    /// How many deliveries there were, and how many are missing.
    pub fn deliveries(&self) -> (u64, u64) {
        let count: u64 = self.seconds.iter().map(|second| second.latency.count()).sum();
        let expected: u64 = self.seconds.iter().map(|second| second.expected).sum();
        (count, expected.saturating_sub(count))
    }

    /// A message is due in this second. All who read should have it.
    pub fn expect(&mut self, second: usize, options: &Options) {
        if let Some(second) = self.seconds.get_mut(second) {
            second.expected += options.readers() as u64;
        }
    }

    pub fn count(&mut self, event: impl Display) {
        let event: String = event.to_string().chars().take(120).collect();
        if self.events.len() < EVENTS || self.events.contains_key(&event) {
            *self.events.entry(event).or_default() += 1;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        let length = self.seconds.len().max(other.seconds.len());
        self.seconds.resize_with(length, Second::default);
        self.seconds.iter_mut().zip(&other.seconds).for_each(|(own, it)| own.merge(it));
        self.handshakes.merge(&other.handshakes);
        self.returns.merge(&other.returns);
        self.late.merge(&other.late);
        for (event, count) in &other.events {
            *self.events.entry(event.clone()).or_default() += count;
        }
    }

    /// The measured seconds of each rate together.
    pub fn steps(&self, options: &Options) -> impl Iterator<Item = (f64, Second)> {
        let plan = options.plan();
        plan.rates.clone().into_iter().enumerate().map(move |(number, rate)| {
            let mut all = Second::default();
            let seconds = self.seconds.get(plan.measured(number)).unwrap_or_default();
            seconds.iter().for_each(|second| all.merge(second));
            (rate, all)
        })
    }

    /// What a picture shows: what is below, and times above it.
    pub fn points(&self, options: &Options) -> (&str, Vec<(f64, Times)>) {
        if options.rate.0.len() > 1 {
            let steps = self.steps(options).map(|(rate, all)| (rate, all.latency));
            return ("messages a second", steps.collect());
        }
        // With one rate, one wants to see when something happened.
        let seconds = self.seconds.iter().map(|second| second.latency.clone());
        ("seconds", (0..).map(f64::from).zip(seconds).collect())
    }

    pub fn summary(&self, options: &Options) -> Summary {
        let seconds = options.seconds as f64;
        let mut rows = Vec::new();
        let (mut last, mut first) = (None, None);
        for (rate, Second { latency, expected, arrived, .. }) in self.steps(options) {
            let keeps_up = latency.count() > 0
                && latency.percentile(99.0) <= options.limit
                && 1_000 * latency.count() >= (1_000 - MISSING) * expected;
            match keeps_up {
                true if first.is_none() => last = Some(rate),
                false if first.is_none() => first = Some(rate),
                _ => {}
            }
            rows.push(Row {
                per_second: arrived as f64 / seconds,
                missing: expected.saturating_sub(latency.count()),
                ..Row::new(format!("{rate} messages/s"), &latency)
            });
        }
        rows.push(Row::new("handshakes", &self.handshakes));
        rows.push(Row::new("back after the storm", &self.returns));
        rows.push(Row::new("sent too late by", &self.late));
        rows.retain(|row| row.count + row.missing > 0);
        Summary { rows, knee: (last, first), events: self.events.clone() }
    }
}

/// What people and programs want to know. As JSON it has these names.
#[derive(Serialize)]
pub struct Summary {
    pub rows: Vec<Row>,
    /// The last rate at which the server keeps up, and the first at which it does not: then 99 of
    /// 100 are not in time, or too many are missing.
    pub knee: (Option<f64>, Option<f64>),
    pub events: BTreeMap<String, u64>,
}

/// Times in milliseconds, and how many there were.
#[derive(Default, Serialize)]
pub struct Row {
    name: String,
    pub count: u64,
    per_second: f64,
    pub missing: u64,
    p50: f64,
    pub p99: f64,
    p999: f64,
    pub max: f64,
}

impl Row {
    fn new(name: impl Into<String>, times: &Times) -> Self {
        let [p50, p99, p999, max] =
            [50.0, 99.0, 99.9, 100.0].map(|it| times.percentile(it));
        let (name, count) = (name.into(), times.count());
        Self { name, count, p50, p99, p999, max, ..Self::default() }
    }
}

/// A table, and what else there is to say.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999, max] = ["p50", "p99", "p99.9", "max"];
        writeln!(
            f,
            "{:22}     count   a second  missing{p50:>9}{p99:>9}{p999:>9}{max:>9} ms",
            ""
        )?;
        for Row { name, count, per_second, missing, p50, p99, p999, max } in &self.rows {
            write!(f, "{name:22}{count:>10}{per_second:>11.0}{missing:>9}")?;
            writeln!(f, "{p50:>9.2}{p99:>9.2}{p999:>9.2}{max:>9.2}")?;
        }
        match self.knee {
            (Some(last), Some(first)) => {
                writeln!(f, "The knee is between {last} and {first} messages a second.")?;
            }
            (None, Some(_)) => writeln!(f, "The server does not keep up.")?,
            (_, None) => writeln!(f, "The server keeps up.")?,
        }
        self.events.iter().try_for_each(|(event, count)| writeln!(f, "{count} × {event}"))
    }
}
