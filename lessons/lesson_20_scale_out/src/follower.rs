//! One consumer for each node, which reads the stream from where the node began to its end,
//! and then whatever comes.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use async_nats::{
    Error,
    jetstream::{
        Message,
        consumer::{
            AckPolicy, DeliverPolicy,
            pull::{self, Stream},
        },
    },
};
use futures_util::StreamExt;
use lesson_18_delivery::Seq;
use tokio::{
    select,
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use crate::{
    broker::{last_number, log_id},
    nats_log::StoredChat,
    node::Node,
    rooms::Rooms,
    storage::{CHATS_KEPT, Subject},
};

/// How many messages may be on their way to us, and how many are applied at once.
const BATCH: usize = 256;

/// How often the broker says that there is nothing new. If it is silent for twice as long, the
/// consumer is gone, or the connection.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// How long it may take to create a consumer. In a cluster that has lost a server, the broker
/// may not answer.
const CREATE_TIMEOUT: Duration = Duration::from_secs(1);

/// For how long the broker keeps a consumer that nobody reads from.
const UNUSED: Duration = Duration::from_secs(10);

/// How long a message may take from the stream to us.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long this node may take to get to where the stream was. If it were much longer, the stream
/// would have forgotten who has left, and this node would never know.
const MAX_LAG: Duration = Duration::from_secs(20);

/// How long to wait before another consumer is created.
const RETRY: Duration = Duration::from_millis(50);

/// Applies what the stream has, and returns when that has not worked for too long.
///
/// Why not the ordered consumer of the library? It is silent for up to 15 seconds after a
/// connection was lost, and if it has seen nothing yet, it begins with the first message.
pub async fn follow(node: &Node) {
    let mut last_read = Instant::now();
    let (mut lag, mut told) = (Lag::default(), String::new());
    while last_read.elapsed() < node.lease.length && !lag.is_too_long() {
        let messages = consume(node).await;
        node.is_following.store(messages.is_ok(), Relaxed);
        let reason = match messages {
            Ok(messages) => {
                let reason = select! {
                    reason = read(node, messages) => reason,
                    () = node.broker.connection.is_lost() => "the connection is lost".into(),
                    reason = is_stuck(node, &mut lag) => reason.into(),
                };
                last_read = Instant::now();
                told.clear();
                reason
            }
            Err(reason) => reason,
        };
        let reason = reason.to_string();
        if reason != told {
            warn!(reason, "this node needs another consumer");
            told = reason; // While it stays the same, once is enough.
        }
        sleep(RETRY).await;
    }
}

/// How far this node is behind.
#[derive(Default)]
pub struct Lag {
    /// A number that the stream had.
    number: Seq,
    /// Since when we know that, if we have not got there yet.
    since: Option<Instant>,
}

impl Lag {
    /// Takes note of where this node is, and of the last number of the stream.
    pub fn update(&mut self, position: Seq, last: Seq) {
        if position >= self.number {
            self.number = last;
            self.since = (position < last).then(Instant::now);
        }
    }

    pub fn is_too_long(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() > MAX_LAG)
    }
}

/// Creates a consumer that begins behind what was applied.
async fn consume(node: &Node) -> Result<Stream, Error> {
    let broker = &node.broker;
    let info = broker.info().await.map_err(|_| "the broker does not answer")?;
    let position = node.rooms.position();
    if log_id(&info) != broker.log || last_number(&info) < position {
        return Err("this is another log".into());
    }
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: position as u64 + 1,
        },
        ack_policy: AckPolicy::None,
        inactive_threshold: UNUSED,
        memory_storage: true,
        num_replicas: 1,
        ..Default::default()
    };
    let creating = timeout(CREATE_TIMEOUT, broker.stream.create_consumer(config));
    let consumer = creating.await.map_err(|_| "the broker creates none in time")??;
    let messages = consumer.stream().max_messages_per_batch(BATCH).heartbeat(HEARTBEAT);
    info!(position, "this node follows the log");
    Ok(messages.messages().await?)
}

/// Resolves when nothing comes, although the stream has more, or what comes is too late, and says
/// which. If the last message is lost on its way, none behind it shows that.
async fn is_stuck(node: &Node, lag: &mut Lag) -> &'static str {
    loop {
        let position = node.rooms.position();
        let last = node.broker.info().await.map_or(0, |info| last_number(&info));
        lag.update(position, last);
        sleep(PATIENCE).await;
        if lag.is_too_long() {
            return "this node is too slow";
        }
        if node.rooms.position() == position && position < last {
            return "what there is has not come";
        }
    }
}

/// Reads until something is wrong, and says what.
async fn read(node: &Node, messages: Stream) -> Error {
    let mut count = 0;
    // All that is there already: a crowd is announced together.
    let mut chunks = messages.ready_chunks(BATCH);
    while let Some(chunk) = chunks.next().await {
        let result = node.rooms.apply(|rooms| {
            chunk.into_iter().try_for_each(|message| {
                count += 1;
                receive(rooms, &message?, count)
            })
        });
        if let Err(reason) = result {
            return reason;
        }
    }
    "the messages have ended".into()
}

/// Applies a message, which should be number `count` of this consumer.
pub fn receive(rooms: &mut Rooms, message: &Message, count: u64) -> Result<(), Error> {
    let info = message.info()?;
    // After a reconnection, the broker may believe that we have what was lost on the way.
    if info.consumer_sequence != count {
        return Err("a message is missing".into());
    }
    let seq = info.stream_sequence as Seq;
    // A consumer may begin earlier than it was told to.
    if seq <= rooms.position() {
        return Ok(());
    }
    // A chat is deleted when its room has so many newer ones. If there is a hole, and there
    // may be so many in front of us, chats may be missing.
    if seq != rooms.position() + 1 && info.pending >= CHATS_KEPT as u64 / 2 {
        rooms.reopen_all();
    }
    apply(rooms, &message.subject, seq, &message.payload);
    rooms.advance(seq);
    Ok(())
}

/// Applies what a message of the stream says.
pub fn apply(rooms: &mut Rooms, subject: &str, seq: Seq, payload: &[u8]) {
    match Subject::parse(subject) {
        Some(Subject::Chat(room)) => rooms.deliver(room, seq, |room| {
            StoredChat::read(payload).map(|chat| chat.entry(room, seq))
        }),
        Some(Subject::Member(room, username)) => {
            if let Ok(presence) = serde_json::from_slice(payload) {
                rooms.set(room, username, seq, presence);
            }
        }
        None => warn!(subject, "this message is not ours"),
    }
}
