//! The broker: how to connect to it, what it keeps for us, and what can be asked of it.

use std::{
    error::Error,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_nats::{
    Client, Event,
    connection::State,
    jetstream::{
        self, Context, ErrorCode,
        context::{ContextBuilder, PublishError},
        kv,
        message::{PublishMessage, StreamMessage},
        publish::PublishAck,
        stream::{
            Info, LastRawMessageErrorKind::NoMessageFound, RawMessageBuilder, Stream,
        },
    },
};
use futures_util::{StreamExt, TryStreamExt};
use tokio::{select, sync::watch, time::timeout};
use tracing::{info, warn};

use super::storage::{BUCKET, Settings};
use crate::delivery::{Seq, Unavailable};

/// How long the broker may take to answer. A cluster that has lost the leader of a stream
/// needs up to ten seconds for a new one, and clients are told to try again meanwhile.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often we ask whether a silent connection is still alive. After three pings without an
/// answer, it is lost.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// The longest wait before the next try to connect.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The longest chat, and what belongs to it, in bytes. A stream without space for that is full.
const LONGEST_MESSAGE: i64 = 16 * 1024;

/// How many questions are asked at once, when there are many.
pub const AT_ONCE: usize = 32;

/// The connection to the broker. It connects again whenever it is lost.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    pub context: Context,
    settings: Settings,
    warnings: Warnings,
    /// How often the connection was lost.
    losses: watch::Receiver<u64>,
    /// Whether the stream did not take the last message, though we were connected.
    ///
    /// A broker whose disk was full answers questions as before, and may renew leases. But it
    /// stores nothing in this stream until it is restarted.
    is_refusing: Arc<AtomicBool>,
}

/// Tells whoever runs the program what is wrong with the broker. While it stays the same, it
/// is told once.
#[derive(Clone)]
struct Warnings {
    servers: String,
    last: watch::Sender<String>,
}

impl Warnings {
    fn tell(&self, what: String) {
        if self.last.send_replace(what.clone()) != what {
            warn!("the broker at {} {what}", self.servers);
        }
    }

    fn clear(&self) {
        self.last.send_replace(String::new());
    }
}

impl Connection {
    /// Begins to connect, and does not wait for it.
    pub async fn start(settings: Settings) -> Result<Self, String> {
        let (sender, losses) = watch::channel(0);
        let last = watch::Sender::default();
        let warnings = Warnings { servers: settings.addresses(), last };
        let events = warnings.clone();
        let client = settings
            .credentials()
            .retry_on_initial_connect()
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(|tries| {
                LONGEST_WAIT.min(Duration::from_millis(50) * tries as u32)
            })
            .event_callback(move |event| {
                match event {
                    Event::Connected => {
                        events.clear();
                        info!("connected to the broker at {}", events.servers);
                    }
                    Event::Disconnected => {
                        sender.send_modify(|losses| *losses += 1);
                        events.tell("has closed the connection".into());
                    }
                    Event::ClientError(error) => {
                        events.tell(format!("cannot be reached: {error}"));
                    }
                    other => events.tell(format!("is in trouble: {other}")),
                }
                async {}
            })
            .connect(&settings.servers)
            .await
            .map_err(|error| format!("CHAT_NATS_URL cannot be used: {error}."))?;
        let context = ContextBuilder::new().timeout(TIMEOUT).build(client.clone());
        let is_refusing = Default::default();
        Ok(Self { client, context, settings, warnings, losses, is_refusing })
    }

    /// Finds the stream and the bucket, or creates them.
    pub async fn open(&self) -> Result<Broker, Unavailable> {
        // What is there already stays as it is, whatever our settings are.
        let stream = self.context.get_or_create_stream(self.settings.stream());
        let stream = self.ask(stream).await?;
        let leases = match self.context.get_key_value(BUCKET).await {
            Ok(leases) => leases,
            Err(_) => {
                self.ask(self.context.create_key_value(self.settings.bucket())).await?
            }
        };
        let log = log_id(stream.cached_info());
        Ok(Broker { connection: self.clone(), stream, leases, log })
    }

    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits for an answer, but not when the connection is lost.
    async fn ask<T, E: Display>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Unavailable> {
        let is_lost = self.is_lost();
        if !self.is_connected() {
            return Err(Unavailable);
        }
        select! {
            answer = timeout(TIMEOUT, answer) => match answer {
                Ok(Ok(answer)) => {
                    self.warnings.clear();
                    return Ok(answer);
                }
                Ok(Err(error)) => {
                    self.warnings.tell(format!("has refused a request: {error}"));
                }
                Err(_) => self.warnings.tell("has not answered".into()),
            },
            () = is_lost => {}
        }
        Err(Unavailable)
    }

    /// Resolves when the connection that there is now is lost. What was sent on it and has no
    /// answer yet will never have one.
    pub fn is_lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        async move {
            let _ = losses.changed().await; // Or the client has ended.
        }
    }
}

/// What the broker keeps for us: the stream with the log, and the bucket with the leases.
#[derive(Clone)]
pub struct Broker {
    pub connection: Connection,
    pub stream: Stream,
    leases: kv::Store,
    pub log: String,
}

/// The id of the log in a stream: when it was created. If it is deleted, and created again, it has
/// another one.
pub fn log_id(info: &Info) -> String {
    format!("{:x}", info.created.unix_timestamp_nanos())
}

/// The last number of a stream.
pub fn last_number(info: &Info) -> Seq {
    info.state.last_sequence as Seq
}

/// Why a message was not published, or may not have been.
#[derive(Debug)]
pub enum NotPublished {
    /// The last message on its subject is not the expected one.
    Conflict,
    /// Nobody knows whether it is in the stream, or will be.
    Unknown,
}

impl From<PublishError> for NotPublished {
    fn from(error: PublishError) -> Self {
        let answer = error.source().and_then(|source| source.downcast_ref());
        match answer.map(jetstream::Error::error_code) {
            // A cluster says the latter while the other message is on its way.
            Some(
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE
                | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT,
            ) => Self::Conflict,
            _ => {
                warn!(%error, "the broker has not taken a message");
                Self::Unknown
            }
        }
    }
}

/// Whether a stream has no space for a chat. If it has a limit, it refuses what is new then.
pub fn is_full(info: &Info) -> bool {
    let limit = info.config.max_bytes;
    limit > 0 && info.state.bytes as i64 + LONGEST_MESSAGE > limit
}

impl Broker {
    /// Hands a message over, behind those of the calls before. The future that it returns
    /// has the answer.
    ///
    /// The library keeps what it cannot send, and sends it when it is connected again. So a
    /// message without an answer may be stored much later.
    pub async fn publish(
        &self,
        subject: String,
        message: PublishMessage,
    ) -> impl Future<Output = Result<PublishAck, NotPublished>> + Send + use<> {
        let Connection { context, .. } = &self.connection;
        let is_lost = self.connection.is_lost();
        let is_refusing = self.connection.is_refusing.clone();
        let sent = match self.connection.is_connected() {
            true => timeout(TIMEOUT, context.send_publish(subject, message)).await.ok(),
            false => None,
        };
        async move {
            let answer = sent.ok_or(NotPublished::Unknown)??;
            select! {
                answer = answer.into_future() => {
                    let answer = answer.map_err(NotPublished::from);
                    match &answer {
                        Ok(ack) if !ack.duplicate => is_refusing.store(false, Relaxed),
                        Err(NotPublished::Unknown) => is_refusing.store(true, Relaxed),
                        _ => {} // These were found before anything was written.
                    }
                    answer
                }
                () = is_lost => Err(NotPublished::Unknown),
            }
        }
    }

    pub fn is_refusing(&self) -> bool {
        self.connection.is_refusing.load(Relaxed)
    }

    /// A message of the stream, such as the last one on a subject, according to the leader.
    pub async fn get(
        &self,
        which: impl FnOnce(RawMessageBuilder) -> RawMessageBuilder,
    ) -> Result<Option<StreamMessage>, Unavailable> {
        self.get_from(&self.stream, which).await
    }

    async fn get_from(
        &self,
        stream: &Stream,
        which: impl FnOnce(RawMessageBuilder) -> RawMessageBuilder,
    ) -> Result<Option<StreamMessage>, Unavailable> {
        let question = which(stream.raw_message_builder());
        let answer = async {
            match question.send().await {
                Err(error) if error.kind() == NoMessageFound => Ok(None),
                message => message.map(Some),
            }
        };
        self.connection.ask(answer).await
    }

    /// What the leader says about the stream.
    pub async fn info(&self) -> Result<Info, Unavailable> {
        self.connection.ask(self.stream.get_info()).await
    }

    /// The last number of the stream, and how many messages it has on a subject.
    pub async fn count(&self, subject: &str) -> Result<(Seq, usize), Unavailable> {
        let mut info =
            self.connection.ask(self.stream.info_with_subjects(subject)).await?;
        let count = self.connection.ask(info.try_next()).await?;
        Ok((last_number(&info.info), count.map_or(0, |(_, count)| count)))
    }

    /// The last messages on all subjects that match, and up to which number all are there.
    pub async fn all(
        &self,
        subjects: &str,
    ) -> Result<(Seq, Vec<StreamMessage>), Unavailable> {
        let info = self.connection.ask(self.stream.info_with_subjects(subjects)).await?;
        let last = last_number(&info.info);
        let names: Vec<(String, usize)> = self.connection.ask(info.try_collect()).await?;
        let messages = futures_util::stream::iter(names)
            .map(|(subject, _)| self.get(|ask| ask.last_by_subject(subject)))
            .buffer_unordered(AT_ONCE)
            .try_filter_map(async |message| Ok(message))
            .try_collect()
            .await?;
        Ok((last, messages))
    }

    pub fn lease_length(&self) -> Duration {
        // All nodes have the same: that of the bucket, and not that of a setting.
        self.leases.stream.cached_info().config.max_age
    }

    pub async fn put_lease(&self, node: &str) -> Result<(), Unavailable> {
        let put = self.leases.put(node, Default::default());
        self.connection.ask(put).await.map(drop)
    }

    /// Deletes a lease before its time.
    ///
    /// Why not `delete` of the bucket? That leaves an entry, which says that it was deleted.
    pub async fn delete_lease(&self, node: &str) -> Result<(), Unavailable> {
        let purge = self.leases.stream.purge().filter(self.lease_key(node));
        self.connection.ask(purge.into_future()).await.map(drop)
    }

    /// Whether a node has a lease, according to the leader.
    ///
    /// Why not `get` of the bucket? Any replica may answer that.
    pub async fn is_alive(&self, node: &str) -> Result<bool, Unavailable> {
        let key = self.lease_key(node);
        let entry = self.get_from(&self.leases.stream, |ask| ask.last_by_subject(key));
        Ok(entry.await?.is_some())
    }

    fn lease_key(&self, node: &str) -> String {
        format!("{}{node}", self.leases.prefix)
    }
}
