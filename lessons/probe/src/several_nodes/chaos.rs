//! Nodes and the broker are stopped and killed at random, while people write. At the end, what
//! was acknowledged is compared with what everybody has received.
//!
//! `SEED=17 CHAOS_SECONDS=40 cargo test chaos` runs another one.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use serde_json::Value;
use tokio::{
    spawn,
    sync::{RwLock, watch},
    time::{Instant, sleep},
};

use super::{LIMIT, Nodes, TestBroker, TestNode, until};
use crate::{Check, Client, Hint, resuming::chat_with_id};

const NAMES: [&str; 5] = ["ana", "ben", "cem", "dan", "emil"];

/// After so long without an answer, a client connects again.
const PATIENCE: Duration = Duration::from_secs(3);

type Running = Arc<RwLock<Vec<Arc<TestNode>>>>;

/// Somebody who writes, and connects again whenever the connection is lost.
struct Person {
    name: &'static str,
    path: fn(room: &str, name: &str) -> String,
    random: Rng,
    sent: usize,
    pending: VecDeque<usize>,
    /// The number that each id was acknowledged with.
    acks: BTreeMap<usize, i64>,
    /// The highest number that anybody's chat was acknowledged with.
    last: Arc<AtomicI64>,
    log: Option<String>,
    seen: i64,
    /// What came, by its number: the sender and the id.
    view: BTreeMap<i64, (String, usize)>,
    connections: usize,
}

impl Person {
    fn new(it: Nodes, name: &'static str, random: Rng, last: Arc<AtomicI64>) -> Self {
        let (pending, acks, view) = Default::default();
        Self {
            name,
            path: it.path,
            random,
            sent: 0,
            pending,
            acks,
            last,
            log: None,
            seen: 0,
            view,
            connections: 0,
        }
    }

    /// Writes until `is_over`, and then waits for what is not acknowledged, and for what others
    /// still have to say.
    async fn run(
        mut self,
        nodes: Running,
        mut is_over: watch::Receiver<bool>,
    ) -> Result<Self, Hint> {
        loop {
            let node = {
                let nodes = nodes.read().await;
                nodes[self.random.usize(..nodes.len())].clone()
            };
            if let Ok(client) = self.connect(&node).await {
                self.connections += 1;
                if self.talk(client, &mut is_over).await? {
                    return Ok(self);
                }
            }
            sleep(Duration::from_millis(self.random.u64(10..500))).await;
        }
    }

    async fn connect(&mut self, node: &TestNode) -> Result<Client, Hint> {
        let log = self.log.as_ref().map(|log| format!("&log={log}")).unwrap_or_default();
        let path =
            format!("{}&resume={}{log}", (self.path)("rust", self.name), self.seen);
        let mut client = node.server.connect(self.name, &path).await?;
        let text = client.hears_any().await?;
        let welcome: Value = serde_json::from_str(&text).unwrap_or_default();
        let log = welcome["log"].as_str().ok_or_else(|| Hint::new("no welcome"))?;
        if self.log.get_or_insert(log.into()) != log {
            panic!("{}: it is another log", self.name);
        }
        for id in self.pending.clone() {
            client.says(self.chat(id)).await?;
        }
        Ok(client)
    }

    /// Talks until the connection is lost, or all is over: then it is `true`.
    async fn talk(
        &mut self,
        mut client: Client,
        is_over: &mut watch::Receiver<bool>,
    ) -> Result<bool, Hint> {
        let mut answered = Instant::now();
        let mut quiet = Instant::now();
        while answered.elapsed() < PATIENCE {
            let is_over = *is_over.borrow();
            // A node that finds its broker again may be late. What is lost does not come later.
            let complete = self.seen >= self.last.load(Ordering::Relaxed);
            let patience = if complete { PATIENCE } else { LIMIT };
            if is_over && self.pending.is_empty() && quiet.elapsed() > patience {
                return Ok(true);
            }
            if !is_over && self.pending.len() < 50 && self.random.u8(..3) == 0 {
                self.sent += 1;
                self.pending.push_back(self.sent);
                let chat = self.chat(self.sent);
                if client.says(chat).await.is_err() {
                    return Ok(false);
                }
            }
            if client.says(r#"{"type":"ping"}"#).await.is_err() {
                return Ok(false);
            }
            let pause = Duration::from_millis(self.random.u64(5..40));
            for text in client.hears_out(pause).await {
                let message: Value = serde_json::from_str(&text).unwrap_or_default();
                if message["type"] == "pong" {
                    answered = Instant::now();
                } else {
                    quiet = Instant::now();
                    self.receive(&message)?;
                }
            }
        }
        Ok(false)
    }

    fn chat(&self, id: usize) -> String {
        chat_with_id(&id.to_string(), &format!("{} {id}", self.name))
    }

    fn receive(&mut self, message: &Value) -> Check {
        let seq = message["seq"].as_i64().unwrap_or_default();
        let id =
            message["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        let problem =
            |what: &str| Err(Hint::new(format!("{}: {what}: {message}", self.name)));
        match message["type"].as_str() {
            Some("chat") => {
                if seq <= self.seen {
                    return problem("this is double, or out of order");
                }
                self.seen = seq;
                let from = message["from"].as_str().unwrap_or_default().to_owned();
                self.view.insert(seq, (from, id));
            }
            Some("ack") => {
                if *self.acks.entry(id).or_insert(seq) != seq {
                    return problem("it was acknowledged with another number");
                }
                self.last.fetch_max(seq, Ordering::Relaxed);
                self.pending.retain(|&pending| pending != id);
            }
            Some("user_joined" | "user_left") => {}
            _ => return problem("nobody expects this"),
        }
        Ok(())
    }
}

/// Does something bad, and undoes it.
async fn harm(
    it: Nodes,
    random: &mut Rng,
    broker: &mut TestBroker,
    nodes: &Running,
) -> &'static str {
    let moment = Duration::from_millis(random.u64(1..2_000));
    let which = random.usize(..nodes.read().await.len());
    match random.u8(..5) {
        0 => {
            broker.dies();
            sleep(moment).await;
            broker.starts();
            "the broker was killed"
        }
        1 => {
            broker.signal("-STOP");
            sleep(moment * 3).await;
            broker.signal("-CONT");
            "the broker was stopped for a while"
        }
        2 => {
            nodes.read().await[which].pauses_for(moment * 4).await;
            "a node was stopped for a while"
        }
        _ => {
            let old = nodes.read().await[which].clone();
            old.dies();
            sleep(moment).await;
            nodes.write().await[which] = Arc::new(it.start(broker));
            "a node was killed"
        }
    }
}

pub async fn chaos_loses_nothing_doubles_nothing_and_changes_no_order(
    it: Nodes,
) -> Check {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let number = |name, default| {
        env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let mut random = Rng::with_seed(number("SEED", 1));
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Arc::new(it.node(&broker).await?));
    }
    let nodes: Running = Arc::new(RwLock::new(nodes));
    let (over, is_over) = watch::channel(false);
    let last = Arc::default();
    let people = NAMES.map(|name| {
        let person = Person::new(it, name, random.fork(), Arc::clone(&last));
        spawn(person.run(nodes.clone(), is_over.clone()))
    });

    let start = Instant::now();
    let mut harms = BTreeMap::<_, usize>::new();
    while start.elapsed() < Duration::from_secs(number("CHAOS_SECONDS", 12)) {
        let what = harm(it, &mut random, &mut broker, &nodes).await;
        *harms.entry(what).or_default() += 1;
        sleep(Duration::from_millis(random.u64(..1_000))).await;
    }
    for node in nodes.read().await.iter() {
        until("The node is ready", || async { node.readiness().await.is_ok() }).await?;
    }
    over.send_replace(true);

    let mut all = Vec::new();
    for person in people {
        all.push(person.await.expect("no client panics")?);
    }
    let chats: usize = all.iter().map(|person| person.acks.len()).sum();
    let connections: usize = all.iter().map(|person| person.connections).sum();
    println!("{chats} chats, {connections} connections, {harms:?}");
    for person in &all {
        assert_eq!(person.acks.len(), person.sent, "{} has an ack for each", person.name);
        assert!(person.acks.values().is_sorted(), "{}'s have their order", person.name);
        for other in &all {
            for (id, seq) in &person.acks {
                let expected = (person.name.to_owned(), *id);
                let (name, came) = (other.name, other.view.get(seq));
                let seen = other.seen;
                assert_eq!(
                    came,
                    Some(&expected),
                    "{name} has number {seq}, and saw up to {seen}"
                );
            }
            assert_eq!(other.view.len(), chats, "{} has each once", other.name);
        }
    }
    Ok(())
}
