//! The configuration: one struct, read from the environment and checked at the start.

use std::{
    env,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize, ParseIntError},
    path::PathBuf,
    time::Duration,
};

use clap::{
    CommandFactory, Parser, ValueEnum,
    error::{ContextKind, Error},
};
use tokio::sync::Semaphore;

/// What the names of all our variables begin with.
const PREFIX: &str = "CHAT_";

/// The longest message that a client may send, in bytes. A longer one ends the connection.
///
/// It is twice what the protocol allows, so that somebody who is a little over that limit
/// gets an error message and can go on.
pub const MAX_MESSAGE_SIZE: usize = 64 * 1024;

/// The secret is no argument: all users of a machine can read the arguments of a program.
const SECRET: &str = "CHAT_JWT_SECRET";

/// Chat, live data and tasks over WebSockets.
///
/// Each option has a variable of the same name in the environment.
#[derive(Clone, Parser)]
#[command(
    after_help = "CHAT_JWT_SECRET, in the environment only: the secret that signs tokens, \
                  32 bytes or more. Without it, tokens are valid until the program ends."
)]
pub struct Config {
    /// Where to listen: an IP address and a port. As in all lessons, ADDR works, too.
    #[arg(long, env = "CHAT_ADDR", default_value = default_addr())]
    pub addr: SocketAddr,

    /// The file of the database. Without it, all data ends with the program.
    #[arg(long, env = "CHAT_DATABASE")]
    pub database: Option<PathBuf>,

    /// The origins whose pages may connect, beside our own, with commas between them.
    #[arg(long, env = "CHAT_ALLOWED_ORIGINS", default_value = "")]
    pub allowed_origins: String,

    /// Whether browsers send our cookie over HTTPS only.
    #[arg(long, env = "CHAT_SECURE_COOKIES")]
    pub secure_cookies: bool,

    /// How many WebSockets there may be at a time. The next one gets a 503.
    #[arg(long, env = "CHAT_MAX_CONNECTIONS", default_value = "800")]
    pub max_connections: NonZeroUsize,

    /// How many of them may belong to one person. The next one is closed with 1008.
    #[arg(long, env = "CHAT_MAX_CONNECTIONS_PER_USER", default_value = "5")]
    pub max_connections_per_user: NonZeroUsize,

    /// How many TCP connections there may be that are no WebSocket yet. The next one waits.
    #[arg(long, env = "CHAT_MAX_HTTP_CONNECTIONS", default_value = "200")]
    pub max_http_connections: NonZeroUsize,

    /// How many members a room may have. The next one is closed with 1013.
    #[arg(long, env = "CHAT_MAX_MEMBERS_PER_ROOM", default_value = "40")]
    pub max_members_per_room: NonZeroUsize,

    /// How many rooms there may be at a time. Who opens the next one is closed with 1013.
    #[arg(long, env = "CHAT_MAX_ROOMS", default_value = "100")]
    pub max_rooms: NonZeroUsize,

    /// How many messages a person may send in a second, over all of their connections.
    #[arg(long, env = "CHAT_MESSAGES_PER_SECOND", default_value = "10")]
    pub messages_per_second: NonZeroU32,

    /// How many they may send at once, after a pause. To connect counts as two.
    #[arg(long, env = "CHAT_MESSAGE_BURST", default_value = "20")]
    pub message_burst: NonZeroU32,

    /// How many changes a person may make over HTTP in a second.
    #[arg(long, env = "CHAT_CHANGES_PER_SECOND", default_value = "20")]
    pub changes_per_second: NonZeroU32,

    /// How many they may make at once, after a pause.
    #[arg(long, env = "CHAT_CHANGE_BURST", default_value = "200")]
    pub change_burst: NonZeroU32,

    /// How many things a person may read over HTTP in a second.
    #[arg(long, env = "CHAT_READS_PER_SECOND", default_value = "20")]
    pub reads_per_second: NonZeroU32,

    /// How many they may read at once, after a pause.
    #[arg(long, env = "CHAT_READ_BURST", default_value = "100")]
    pub read_burst: NonZeroU32,

    /// How many messages may wait for one client.
    #[arg(long, env = "CHAT_OUTBOX_SIZE", default_value = "1024")]
    pub outbox_size: usize,

    /// What happens to a client of the chat when that many wait.
    #[arg(long, env = "CHAT_SLOW_CLIENT", value_enum, default_value = "close")]
    pub slow_client: SlowClient,

    /// How long the head of a request may take to arrive, in seconds.
    #[arg(long, env = "CHAT_HEADER_TIMEOUT", default_value = "5", value_parser = seconds)]
    pub header_timeout: Duration,

    /// How long the body of a request may take to arrive, in seconds.
    #[arg(long, env = "CHAT_BODY_TIMEOUT", default_value = "5", value_parser = seconds)]
    pub body_timeout: Duration,

    /// How long a TCP connection may serve requests, in seconds.
    #[arg(long, env = "CHAT_KEEP_ALIVE", default_value = "30", value_parser = seconds)]
    pub keep_alive: Duration,

    /// How long GET /ready answers 503 before the shutdown begins, in seconds.
    #[arg(long, env = "CHAT_SHUTDOWN_DELAY", default_value = "0", value_parser = seconds)]
    pub shutdown_delay: Duration,

    /// How long clients may take to leave before the program ends without them, in seconds.
    #[arg(long, env = "CHAT_SHUTDOWN_TIMEOUT", default_value = "8", value_parser = seconds)]
    pub shutdown_timeout: Duration,

    /// The secret that signs tokens.
    #[arg(skip)]
    pub jwt_secret: Option<Vec<u8>>,
}

/// What we do when the outbox of a client is full.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum SlowClient {
    /// Close with 4008. It can connect again.
    Close,
    /// Drop its oldest message, and do not tell it.
    #[value(name = "drop")]
    DropOldest,
    /// Drop its oldest message, and tell it how many it has missed.
    Tell,
}

fn default_addr() -> String {
    env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8000".into())
}

fn seconds(text: &str) -> Result<Duration, ParseIntError> {
    text.parse().map(Duration::from_secs)
}

impl Config {
    /// Reads the configuration. For `--help` it prints that, and ends the program.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        let config = match Self::try_parse() {
            Ok(config) => config,
            Err(error) if error.use_stderr() => return Err(sentence(&error)),
            Err(help) => help.exit(),
        };
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        check_names(names)?;

        let jwt_secret = env::var_os(SECRET).map(|secret| secret.into_encoded_bytes());
        Self { jwt_secret, ..config }.check()
    }

    /// How many bytes a client may send in a second: the longest messages, as fast as
    /// messages may come.
    pub fn bytes_per_second(&self) -> u64 {
        MAX_MESSAGE_SIZE as u64 * u64::from(self.messages_per_second.get())
    }

    /// Refuses values that contradict each other.
    fn check(self) -> Result<Self, String> {
        let connections = self.max_connections.max(self.max_http_connections);
        if connections.get() > Semaphore::MAX_PERMITS {
            return Err("No machine has room for so many connections.".into());
        }
        let burst = self.message_burst.get() as usize;
        if burst < 2 {
            let sentence = "CHAT_MESSAGE_BURST is 1, but to connect counts as 2.";
            return Err(sentence.into());
        }

        // If all members of a room send at once, and nobody has had time to read, then
        // all of it waits in each outbox.
        let crowd = self.max_members_per_room.get().saturating_mul(burst);
        if self.outbox_size < crowd {
            let size = self.outbox_size;
            return Err(format!(
                "CHAT_OUTBOX_SIZE is {size}, but a full room may send {crowd} messages at \
                 once."
            ));
        }
        Ok(self)
    }
}

/// The configuration without any variable, for the tests.
#[cfg(test)]
impl Default for Config {
    fn default() -> Self {
        Self::try_parse_from(["chat"]).expect("every option has a default")
    }
}

/// Refuses variables that look like ours, but are not: somebody has mistyped one.
fn check_names(names: impl Iterator<Item = String>) -> Result<(), String> {
    let command = Config::command();
    let known: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()).collect();
    let unknown = names
        .filter(|name| name.starts_with(PREFIX) && name != SECRET)
        .find(|name| !known.contains(&name.as_ref()));
    match unknown {
        Some(name) => Err(format!("There is no variable {name}: --help lists them all.")),
        None => Ok(()),
    }
}

/// What is wrong with an argument, or with its variable.
fn sentence(error: &Error) -> String {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    let command = Config::command();
    let variable = command
        .get_arguments()
        .find(|known| known.to_string() == argument)
        .and_then(|known| known.get_env()?.to_str())
        .unwrap_or(&argument);
    let value = context(ContextKind::InvalidValue);
    let reason = match std::error::Error::source(error) {
        Some(reason) => reason.to_string(),
        None => error.kind().to_string(),
    };
    format!("{variable} is {value:?}: {reason}.")
}
