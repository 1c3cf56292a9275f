//! Random stories of clients on a bad network: what they send must not be lost.
//!
//! A story has people in rooms who write, connections that break after any byte, and a server
//! that crashes and starts again. At its end nothing breaks any more: everybody connects once
//! more, and then all that was sent is compared with all that was received.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env, fmt,
    time::Duration,
};

use axum::Router;
use fastrand::Rng;
use tokio::{
    runtime::Builder,
    select,
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};

use crate::{
    Check, Hint,
    bad_network::BadNetwork,
    resuming_client::{Chat, ResumingClient, State},
    watchdog::Watchdog,
};

/// How long nothing is sent any more before what was received is compared.
const QUIET: Duration = Duration::from_secs(60);

/// What has not arrived after this time never will.
const TOO_LATE: Duration = Duration::from_secs(60 * 60);

/// How many problems a hint names.
const NAMED: usize = 5;

const NAMES: [&str; 5] = ["ana", "ben", "cem", "dan", "emil"];
const ROOMS: [&str; 2] = ["rust", "tea"];

/// How the clients of a story talk to the server.
#[derive(Clone, Copy, PartialEq)]
pub enum Protocol {
    /// Each message is sent once, without an id.
    Plain,
    /// As `Plain`, but what has not come back is sent again on the next connection.
    SendAgain,
    /// With numbers, ids, acknowledgements and resume.
    Delivery,
}

/// What is to happen. The same seed makes the same story.
pub struct Story {
    seed: u64,
    clients: usize,
    rooms: usize,
    /// How many messages each client sends.
    messages: usize,
    /// How long a client waits between two of them, at most.
    pause: Duration,
    /// Whether there are so many messages that a client which reads nothing for a few seconds
    /// misses hundreds of them.
    is_busy: bool,
    /// How many connections break, lose what they should carry, or stall: at most so many.
    faults: usize,
    /// How often the server crashes, at most.
    crashes: usize,
}

/// What has happened in a story.
#[derive(Default)]
pub struct Report {
    story: String,
    seed: u64,
    pub sent: usize,
    pub acknowledged: usize,
    /// How many messages all members of their room have received.
    pub delivered: usize,
    /// How many connections broke, lost what they should have carried, or stalled.
    pub cuts: usize,
    pub crashes: usize,
    /// How many chats somebody received later, who was not connected when they were sent.
    pub replays: usize,
    /// How many messages somebody has not received.
    pub lost: usize,
    /// How many chats somebody has received once more.
    pub double: usize,
    pub out_of_order: usize,
    problems: Vec<String>,
}

/// The seeds of the stories to run: `STORIES` many, from `SEED` on. Without `STORIES`, that of
/// `SEED` alone; without both, the first 30.
pub fn seeds() -> impl Iterator<Item = u64> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = match (number("SEED"), number("STORIES")) {
        (None, count) => (0, count.unwrap_or(30)),
        (Some(seed), count) => (seed, count.unwrap_or(1)),
    };
    first..first.saturating_add(count)
}

impl Story {
    pub fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let is_busy = random.u8(0..8) == 0;
        Self {
            seed,
            clients: if is_busy { 4 } else { random.usize(2..=5) },
            rooms: if is_busy { 1 } else { random.usize(1..=2) },
            messages: if is_busy { 240 } else { random.usize(5..=40) },
            pause: Duration::from_millis(if is_busy { 20 } else { 2_000 }),
            is_busy,
            faults: random.usize(3..=40),
            crashes: random.usize(0..=3),
        }
    }

    /// Runs the story, on virtual time. `app` starts the server: at the beginning, and after
    /// each crash. `path` is where somebody connects to a room.
    ///
    /// Why is it not `async`? A crash drops all tasks of the server, wherever they are, as the
    /// end of a runtime does. So there is a runtime for each start of the server.
    pub fn run(
        &self,
        protocol: Protocol,
        mut app: impl FnMut() -> Router,
        path: fn(room: &str, name: &str) -> String,
    ) -> Report {
        let _watchdog = Watchdog::start();
        let mut random = Rng::with_seed(self.seed);
        let mut client = |name, room, messages| {
            let random = random.fork();
            ResumingClient::new(State::new(
                name, room, messages, self.pause, protocol, path, random,
            ))
        };
        let rooms = &ROOMS[..self.rooms];
        let mut clients: Vec<_> = (0..self.clients)
            .map(|i| client(NAMES[i], rooms[i % self.rooms], self.messages))
            .collect();
        // Who comes when all is over gets everything from the log.
        let late: Vec<_> = rooms.iter().map(|room| client("vera", room, 0)).collect();
        let mut report =
            Report { seed: self.seed, story: self.to_string(), ..Report::default() };

        let mut faults = self.faults;
        for start in 0..=self.crashes {
            let is_last = start == self.crashes;
            // Somewhere in the story. If it is over before that, there is no crash.
            let until_crash = random.usize(1..=self.messages * self.clients * 300);
            let steps = random.usize(0..50);
            let network_random = random.fork();

            let runtime =
                Builder::new_current_thread().enable_all().start_paused(true).build();
            runtime.expect("a runtime can start").block_on(async {
                let until_crash = if is_last { usize::MAX } else { until_crash };
                let network = BadNetwork::serve(
                    app(),
                    network_random,
                    self.is_busy,
                    faults,
                    until_crash,
                );
                let connections = connect(&clients, &network);
                select! {
                    biased;
                    () = network.crash() => {
                        report.crashes += 1;
                        for _ in 0..steps {
                            yield_now().await; // So it crashes in any state.
                        }
                    }
                    () = is_over(&clients) => {}
                }
                let (left, broken) = network.faults();
                faults = left;
                report.cuts += broken;
                if is_last {
                    sleep(QUIET).await;
                    drop(connections);
                    network.heal();
                    if protocol == Protocol::Delivery {
                        clients.extend_from_slice(&late);
                    }
                    let _connections = connect(&clients, &network);
                    sleep(QUIET).await;
                }
            });
        }

        for room in rooms {
            let members: Vec<_> = clients.iter().map(|client| client.state()).collect();
            let members: Vec<&State> = members
                .iter()
                .map(|state| &**state)
                .filter(|state| state.room == *room)
                .collect();
            report.compare(&members, protocol);
        }
        report
    }
}

/// Keeps the clients connected, until it is dropped.
fn connect(clients: &[ResumingClient], network: &BadNetwork) -> JoinSet<()> {
    clients.iter().map(|client| client.clone().stay_connected(network.clone())).collect()
}

/// Returns when everybody has sent everything, and waits for no acknowledgement.
async fn is_over(clients: &[ResumingClient]) {
    let waiting = async {
        while clients.iter().any(|client| client.state().waits()) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let _ = timeout(TOO_LATE, waiting).await; // The report names who still waits.
}

impl Report {
    /// Compares what the members of a room have sent with what they have received.
    fn compare(&mut self, members: &[&State], protocol: Protocol) {
        // What clients have noticed comes first: it is nearest to the cause.
        let mut problems: Vec<_> =
            members.iter().flat_map(|member| member.problems.iter().cloned()).collect();
        let mut log = BTreeMap::new();
        let mut numbers: HashMap<_, BTreeSet<u64>> = HashMap::new();
        let mut counts: Vec<HashMap<_, usize>> = Vec::new();
        for member in members {
            let mut count = HashMap::new();
            for chat in &member.view {
                *count.entry(chat.message()).or_default() += 1;
                numbers.entry(chat.message()).or_default().insert(chat.seq);
                let (other, first) = *log.entry(chat.seq).or_insert((chat, member));
                if protocol == Protocol::Delivery && other.message() != chat.message() {
                    problems.push(format!(
                        "The number {} is {other} for {}, and {chat} for {}.",
                        chat.seq, first.name, member.name
                    ));
                }
            }
            let double: usize = count.values().map(|count| count - 1).sum();
            self.double += double + member.double;
            self.replays += member.replays;
            self.out_of_order += member.out_of_order;
            counts.push(count);
        }

        for sender in members {
            let mut newest = 0;
            for (i, content) in sender.sent.iter().enumerate() {
                let chat = Chat::new(0, sender.name, content);
                let message = (sender.name, content.as_str());
                let ack = sender.acks.get(&(i + 1));
                let missing: Vec<_> = members
                    .iter()
                    .zip(&counts)
                    .filter(|(_, count)| !count.contains_key(&message))
                    .map(|(member, _)| member.name)
                    .collect();
                self.sent += 1;
                if missing.is_empty() {
                    self.delivered += 1;
                } else {
                    self.lost += 1;
                    let ack = ack.map_or("It was not acknowledged".into(), |seq| {
                        format!("It was acknowledged with the number {seq}")
                    });
                    let missing = missing.join(", ");
                    problems
                        .push(format!("{missing} should have received {chat}. {ack}."));
                }

                let Some(seqs) = numbers.remove(&message) else { continue };
                if seqs.len() > 1 {
                    problems.push(format!(
                        "{chat} is in the log more than once, with the numbers {seqs:?}: it was \
                         sent again with the same id."
                    ));
                }
                if let Some(ack) = ack.filter(|ack| !seqs.contains(ack)) {
                    problems.push(format!(
                        "{chat} was acknowledged with the number {ack}, but has {seqs:?}."
                    ));
                }
                let seq = seqs.first().copied().unwrap_or_default();
                if seq < newest {
                    self.out_of_order += 1;
                    problems.push(format!(
                        "{chat} has the number {seq}, but what was sent before it has {newest}."
                    ));
                }
                newest = newest.max(seq);
            }
            if protocol == Protocol::Delivery {
                self.acknowledged += sender.sent.len() - sender.pending.len();
            }
            if let Some(id) = sender.pending.front() {
                let name = sender.name;
                problems.push(format!("{name} still waits for the ack of message {id}."));
            }
        }
        for (from, content) in numbers.into_keys() {
            problems.push(format!(
                "Somebody received {content:?} of {from}, who never sent it."
            ));
        }
        self.problems.append(&mut problems);
    }

    /// Fails with what went wrong, and says how to run the story again. `package` is the one
    /// whose tests have run it.
    pub fn check(&self, package: &str) -> Check {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut sentences: Vec<_> = self.problems.iter().take(NAMED).cloned().collect();
        if let more @ 1.. = self.problems.len().saturating_sub(NAMED) {
            sentences.push(format!("And {more} more."));
        }
        Err(Hint::new(format!(
            "{}\n  {self}\n\n  {}\n\n  Run it again: SEED={} cargo test -p {package} stories",
            self.story,
            sentences.join("\n  "),
            self.seed
        )))
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { seed, clients, rooms, messages, faults, crashes, .. } = self;
        write!(
            f,
            "Story {seed}: {clients} clients (rooms: {rooms}) send {messages} messages each. At \
             most {faults} connections break, and the server crashes at most {crashes} times."
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { sent, acknowledged, delivered, cuts, crashes, .. } = self;
        let Self { replays, lost, double, out_of_order, .. } = self;
        write!(
            f,
            "sent {sent}, acknowledged {acknowledged}, delivered {delivered}, cuts {cuts}, crashes \
             {crashes}, replays {replays}, lost {lost}, double {double}, out of order {out_of_order}"
        )
    }
}
