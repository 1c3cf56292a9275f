//! A client of a story. What it has sent and received outlives its connections.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use fastrand::Rng;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::{
    select,
    time::{Instant, interval_at, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

use crate::{
    bad_network::{BadConnection, BadNetwork},
    client::shortened_to,
    delivery::Protocol,
    json::{PING, chat_of},
};

/// How long a client waits for an answer. Then it gives the connection up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the first wait before a new connection may be, in milliseconds.
const FIRST_WAIT: u32 = 1_000;

/// All clients wait for multiples of this part of the longest pause. So what they do often
/// falls on the same moment, and the server has to do it at once.
const TICKS: u32 = 10;

/// Each wait may be twice as long as the one before, so many times.
const DOUBLINGS: u32 = 4;

/// All clones are the same client.
#[derive(Clone)]
pub(crate) struct ResumingClient(Arc<Mutex<State>>);

pub(crate) struct State {
    pub name: &'static str,
    pub room: &'static str,
    protocol: Protocol,
    path: fn(room: &str, name: &str) -> String,
    random: Rng,
    /// How many messages it still has to send, and how long it waits before each, at most.
    to_send: usize,
    pause: Duration,
    /// Whether an own chat that comes from the server counts as its acknowledgement.
    chat_is_ack: bool,

    /// What it has sent. The id of a message is its place in this list, from 1 on.
    pub sent: Vec<String>,
    /// The ids that are not acknowledged yet.
    pub pending: VecDeque<usize>,
    /// With which number an id was acknowledged.
    pub acks: BTreeMap<usize, u64>,

    log: Option<String>,
    /// The highest number that it has seen.
    seen: u64,
    /// The room's last number when it connected.
    welcome: Option<u64>,
    ponged: bool,
    /// What it has received, in this order.
    pub view: Vec<Chat>,
    pub replays: usize,
    /// What it has received again, and left out.
    pub double: usize,
    pub out_of_order: usize,
    pub problems: Vec<String>,
}

/// A chat that somebody has received. Without a number, that is 0.
pub(crate) struct Chat {
    pub seq: u64,
    from: String,
    content: String,
}

impl ResumingClient {
    pub fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no task panics with the lock")
    }

    /// Connects, and connects again whenever the connection has ended: soon at first, then
    /// later and later, after a random wait.
    pub async fn stay_connected(self, network: BadNetwork) {
        let mut tries = 0;
        loop {
            if let Some(socket) = self.connect(&network).await {
                tries = 0;
                self.talk(socket).await;
            }
            let wait = self.state().next_wait(tries);
            sleep(wait).await;
            tries = (tries + 1).min(DOUBLINGS);
            self.state().write_offline();
        }
    }

    async fn connect(
        &self,
        network: &BadNetwork,
    ) -> Option<WebSocketStream<BadConnection>> {
        let url = self.state().url();
        let connection = network.connect().await.ok()?;
        match timeout(PATIENCE, client_async(url, connection)).await.ok()? {
            Ok((socket, _)) => Some(socket),
            Err(Error::Http(response)) => {
                let status = response.status();
                self.state().problem(format!("got {status} and no WebSocket"));
                None
            }
            Err(_) => None,
        }
    }

    /// Sends and receives until the connection has ended.
    async fn talk(&self, socket: WebSocketStream<BadConnection>) {
        let (sink, mut stream) = socket.split();
        self.state().ponged = true;
        self.state().welcome = None;
        if self.state().protocol == Protocol::Delivery {
            let Ok(Some(Ok(first))) = timeout(PATIENCE, stream.next()).await else {
                return;
            };
            self.state().receive(first);
        }
        select! {
            biased;
            () = self.read(stream) => {}
            _ = self.write(sink) => {}
        }
    }

    async fn read(&self, mut stream: impl Stream<Item = Result<Message, Error>> + Unpin) {
        while let Some(Ok(message)) = stream.next().await {
            self.state().receive(message);
        }
    }

    /// Sends what is not acknowledged again, in order, and then what is new. From time to time
    /// it sends a ping, and returns if there was no pong.
    async fn write(
        &self,
        mut sink: impl Sink<Message, Error = Error> + Unpin,
    ) -> Result<(), Error> {
        let pending = self.state().pending.clone();
        for id in pending {
            let message = self.state().message(id);
            sink.send(message).await?;
        }
        let mut pings = interval_at(Instant::now() + PATIENCE, PATIENCE);
        loop {
            let (is_done, pause) = self.state().next_pause();
            let message = select! {
                biased;
                _ = pings.tick() => {
                    if !std::mem::take(&mut self.state().ponged) {
                        return Ok(());
                    }
                    Message::text(PING)
                }
                () = sleep(pause), if !is_done => self.state().compose(),
            };
            sink.send(message).await?;
        }
    }
}

impl State {
    pub fn new(
        name: &'static str,
        room: &'static str,
        to_send: usize,
        pause: Duration,
        protocol: Protocol,
        path: fn(room: &str, name: &str) -> String,
        mut random: Rng,
    ) -> Self {
        Self {
            name,
            room,
            protocol,
            path,
            chat_is_ack: random.bool(),
            random,
            to_send,
            pause,
            sent: Vec::new(),
            pending: VecDeque::new(),
            acks: BTreeMap::new(),
            log: None,
            seen: 0,
            welcome: None,
            ponged: true,
            view: Vec::new(),
            replays: 0,
            double: 0,
            out_of_order: 0,
            problems: Vec::new(),
        }
    }

    /// Whether there is something left to send, or not acknowledged.
    pub fn waits(&self) -> bool {
        self.to_send > 0 || !self.pending.is_empty()
    }

    pub fn problem(&mut self, what: String) {
        let sentence = format!("{} {what}.", self.name);
        if !self.problems.contains(&sentence) {
            self.problems.push(sentence);
        }
    }

    fn url(&self) -> String {
        let mut path = (self.path)(self.room, self.name);
        if self.protocol == Protocol::Delivery {
            let first = if path.contains('?') { '&' } else { '?' };
            path.push_str(&format!("{first}resume={}", self.seen));
            path.extend(self.log.iter().map(|log| format!("&log={log}")));
        }
        format!("ws://127.0.0.1:8000{path}")
    }

    /// Composes the next message. It is sent once, or again until it is acknowledged.
    fn compose(&mut self) -> Message {
        self.to_send -= 1;
        let id = self.sent.len() + 1;
        let length = self.random.choice([0, 10, 100, 500]).unwrap_or_default();
        self.sent.push(format!("{id}: still here?{}", "?".repeat(length)));
        if self.protocol != Protocol::Plain {
            self.pending.push_back(id);
        }
        self.message(id)
    }

    fn message(&self, id: usize) -> Message {
        let content = &self.sent[id - 1];
        Message::text(match self.protocol {
            Protocol::Plain | Protocol::SendAgain => chat_of(content),
            Protocol::Delivery => {
                json!({ "type": "chat", "id": id.to_string(), "content": content })
                    .to_string()
            }
        })
    }

    /// People write while they are not connected, too, if that is of any use.
    fn write_offline(&mut self) {
        if self.protocol == Protocol::Delivery && self.to_send > 0 && self.random.bool() {
            self.compose();
        }
    }

    /// Whether all is sent, and how long to wait before the next message: often not at all.
    fn next_pause(&mut self) -> (bool, Duration) {
        let ticks = if self.random.bool() { 0 } else { self.random.u32(0..=TICKS) };
        (self.to_send == 0, self.pause / TICKS * ticks)
    }

    /// How long to wait before the next try to connect.
    fn next_wait(&mut self, tries: u32) -> Duration {
        let tick = self.pause / TICKS;
        let longest = (FIRST_WAIT << tries) / tick.as_millis() as u32;
        tick * self.random.u32(0..longest)
    }

    fn receive(&mut self, message: Message) {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(Some(frame)) if frame.reason == "this name is taken" => {
                if self.protocol == Protocol::Delivery {
                    self.problem(
                        "said `resume`, and was told that its own name is taken".into(),
                    );
                }
                return;
            }
            _ => return,
        };
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let field = |name: &str| value[name].as_str().unwrap_or_default();
        let seq = value["seq"].as_u64().unwrap_or_default();
        let is_first = self.protocol == Protocol::Delivery && self.welcome.is_none();
        match field("type") {
            "welcome" if is_first => {
                self.welcome = Some(seq);
                let log = self.log.get_or_insert_with(|| field("log").into());
                if log != field("log") {
                    self.problem("was told another log than before".into());
                }
            }
            _ if is_first => {
                self.problem(format!("should receive a welcome first, not {text}"))
            }
            "chat" => {
                if value["room"] != self.room {
                    self.problem(format!(
                        "received what was said in another room: {text}"
                    ));
                }
                self.receive_chat(
                    Chat::new(seq, field("from"), field("content")),
                    field("id"),
                );
            }
            "ack" => self.receive_ack(field("id").parse().unwrap_or_default(), seq),
            "pong" => self.ponged = true,
            "user_joined" | "user_left" => {}
            _ => self.problem(format!("received {}", shortened_to(200, &text))),
        }
    }

    fn receive_chat(&mut self, chat: Chat, id: &str) {
        if self.protocol != Protocol::Delivery {
            if chat.from == self.name {
                let Self { pending, sent, .. } = self;
                pending.retain(|id| sent[id - 1] != chat.content);
            }
            return self.view.push(chat);
        }
        if chat.seq <= self.seen {
            if self.view.iter().any(|known| known.seq == chat.seq) {
                self.double += 1;
                self.problem(format!("received the number {} again, {chat}", chat.seq));
            } else {
                self.out_of_order += 1;
                let seen = self.seen;
                self.problem(format!(
                    "received the number {} after {seen}, {chat}",
                    chat.seq
                ));
            }
            return;
        }
        let is_old = self.welcome.is_some_and(|last| chat.seq <= last);
        self.replays += usize::from(is_old && self.seen > 0);
        self.seen = chat.seq;
        if chat.from == self.name && self.chat_is_ack {
            self.pending.retain(|pending| pending.to_string() != id);
        }
        self.view.push(chat);
    }

    fn receive_ack(&mut self, id: usize, seq: u64) {
        if !(1..=self.sent.len()).contains(&id) {
            return self.problem(format!("received an ack for {id}, which was not sent"));
        }
        let first = *self.acks.entry(id).or_insert(seq);
        if first != seq {
            self.problem(format!(
                "received two acks for {id}, with {first} and with {seq}"
            ));
        }
        self.pending.retain(|pending| *pending != id);
    }
}

impl Chat {
    pub fn new(seq: u64, from: &str, content: &str) -> Self {
        Self { seq, from: from.into(), content: content.into() }
    }

    /// What it is, whatever number it has.
    pub fn message(&self) -> (&str, &str) {
        (&self.from, &self.content)
    }
}

/// As in `message 7 of ana`.
impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let id = self.content.split(':').next().unwrap_or_default();
        write!(f, "message {id} of {}", self.from)
    }
}
