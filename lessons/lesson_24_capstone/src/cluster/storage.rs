//! Where the broker is, and what it keeps for us: one stream for all rooms, and a bucket for
//! the leases.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use async_nats::{
    ConnectOptions, ServerAddr,
    jetstream::{
        kv,
        stream::{self, DiscardPolicy, StorageType},
    },
};
use percent_encoding::percent_decode_str;

use crate::{
    config::Config,
    names::{RoomName, Username},
};

const STREAM: &str = "CHAT";
pub const BUCKET: &str = "nodes";

/// What the stream keeps. A `*` stands for any token.
pub const SUBJECTS: [&str; 2] = ["room.*.chat", MEMBERS];
pub const MEMBERS: &str = "room.*.member.*";

/// How many chats of a room are kept. Whoever comes back later than that gets a gap.
pub const CHATS_KEPT: usize = 1_000;

/// For how long the broker remembers the ids of chats. A chat that is sent again later than
/// that is a new one. Each id costs the broker some 150 bytes of memory.
const IDS_KEPT: Duration = Duration::from_secs(60 * 60);

/// How long the names of a node that is dead stay taken.
///
/// A cluster of brokers that has lost a leader needs up to ten seconds for a new one. If a
/// lease were shorter than that, all nodes would lose theirs at once.
const LEASE: Duration = Duration::from_secs(15);

/// All but the servers counts when the stream is created, by the first node.
#[derive(Clone)]
pub struct Settings {
    pub servers: Vec<ServerAddr>,
    /// On how many servers of a cluster a message is before it is acknowledged.
    pub replicas: usize,
    /// How large the stream may become. -1 is without a limit.
    pub max_bytes: i64,
    pub lease: Duration,
    pub ids_kept: Duration,
}

impl Settings {
    /// `None` if there is no broker. The error is a sentence for whoever started the program.
    pub fn new(config: &Config) -> Result<Option<Self>, String> {
        let Some(urls) = &config.nats_url else { return Ok(None) };
        let max_size = config.nats_max_size.map(|size| i64::from(size.get()) << 20);
        Ok(Some(Self {
            servers: servers(urls)?,
            replicas: config.nats_replicas.get(),
            max_bytes: max_size.unwrap_or(-1),
            lease: LEASE,
            ids_kept: IDS_KEPT,
        }))
    }

    /// The user and the password of the URLs. The client does not look for them there.
    pub fn credentials(&self) -> ConnectOptions {
        let user = |server: &ServerAddr| {
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into();
            Some((decoded(server.username()?), decoded(server.password()?)))
        };
        match self.servers.iter().find_map(user) {
            Some((user, password)) => {
                ConnectOptions::with_user_and_password(user, password)
            }
            None => ConnectOptions::new(),
        }
    }

    /// The servers without their passwords, for the log.
    pub fn addresses(&self) -> String {
        let address =
            |server: &ServerAddr| format!("{}:{}", server.host(), server.port());
        self.servers.iter().map(address).collect::<Vec<_>>().join(", ")
    }

    pub fn stream(&self) -> stream::Config {
        stream::Config {
            name: STREAM.into(),
            subjects: SUBJECTS.map(String::from).into(),
            num_replicas: self.replicas,
            max_messages_per_subject: CHATS_KEPT as i64,
            // A stream that is full refuses what is new. Nobody's chats are deleted for it.
            max_bytes: self.max_bytes,
            discard: DiscardPolicy::New,
            duplicate_window: self.ids_kept,
            allow_rollup: true,
            allow_message_ttl: true,
            // All questions go to the leader: the other replicas may not know the newest.
            allow_direct: false,
            ..Default::default()
        }
    }

    pub fn bucket(&self) -> kv::Config {
        kv::Config {
            bucket: BUCKET.into(),
            max_age: self.lease,
            num_replicas: self.replicas,
            // In files, as the stream: a broker that restarts must not forget the leases.
            storage: StorageType::File,
            ..Default::default()
        }
    }
}

/// Reads URLs with commas between them: the servers of one cluster.
fn servers(urls: &str) -> Result<Vec<ServerAddr>, String> {
    let servers: Result<Vec<ServerAddr>, _> =
        urls.split(',').map(|url| url.trim().parse()).collect();
    // Without the URL: it may have a password.
    let servers =
        servers.map_err(|error| format!("CHAT_NATS_URL cannot be used: {error}."))?;
    if servers.iter().any(ServerAddr::tls_required) && !cfg!(feature = "tls") {
        return Err("For a CHAT_NATS_URL with tls://, build with --features tls.".into());
    }
    Ok(servers)
}

/// A message of the stream is about one subject, which consists of tokens with dots between
/// them.
pub enum Subject {
    /// The chats of a room.
    Chat(RoomName),
    /// Whether somebody is in a room. The last message has the answer.
    Member(RoomName, Username),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(room) => write!(f, "room.{}.chat", token(room.as_str())),
            Self::Member(room, username) => {
                let (room, username) = (token(room.as_str()), token(username.as_str()));
                write!(f, "room.{room}.member.{username}")
            }
        }
    }
}

impl Subject {
    /// `None` for a subject that is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split('.').collect::<Vec<_>>()[..] {
            ["room", room, "chat"] => Some(Self::Chat(name(room)?)),
            ["room", room, "member", username] => {
                Some(Self::Member(name(room)?, name(username)?))
            }
            _ => None,
        }
    }
}

/// A name as one token: the letter x, and then its bytes in hex.
///
/// Why? People choose names. A room named `*` or `>` would be all rooms, and one named `a.b`
/// two tokens.
pub fn token(name: &str) -> String {
    name.bytes().fold("x".into(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}"); // Writing to a String cannot fail.
        token
    })
}

fn name<T: TryFrom<String>>(token: &str) -> Option<T> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> =
        token.strip_prefix('x')?.as_bytes().chunks(2).map(byte).collect();
    T::try_from(String::from_utf8(bytes?).ok()?).ok()
}
