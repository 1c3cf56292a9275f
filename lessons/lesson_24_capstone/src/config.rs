//! The configuration: one struct, read from the environment and checked at the start.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    process,
    str::FromStr,
    time::Duration,
};

use tokio::sync::Semaphore;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::sizes::{MAX_BODY_SIZE, MAX_MESSAGE_SIZE};

/// What the names of all our variables begin with.
const PREFIX: &str = "CHAT_";

/// Declares the settings, under headings: a field of [`Config`], its type, its default, and
/// what it is. The variable of `max_rooms` is `CHAT_MAX_ROOMS`.
///
/// Why a macro? The struct, what reads it and what `--help` prints cannot contradict one
/// another.
macro_rules! settings {
    ($($heading:literal {
        $($name:ident: $type:ty = $default:literal, $what:literal;)*
    })*) => {
        /// The configuration of the server.
        #[derive(Clone)]
        pub struct Config {
            $($(#[doc = $what] pub $name: $type,)*)*
        }

        impl Config {
            fn parse(variables: &Variables) -> Result<Self, String> {
                Ok(Self {
                    $($($name: value(variables, stringify!($name), $default)?,)*)*
                })
            }
        }

        /// Headings, and below each the names, defaults and explanations of its settings.
        const SETTINGS: &[(&str, &[(&str, &str, &str)])] = &[
            $(($heading, &[$((stringify!($name), $default, $what)),*])),*
        ];
    };
}

settings! {
    "Server" {
        addr: SocketAddr = "127.0.0.1:8000",
            "IP address and port to listen on; ADDR works, too";
        database: Option<PathBuf> = "",
            "File of the database; without it, data ends with the program";
        max_database_size: NonZeroU32 = "1024",
            "Size of the database in MiB; a change beyond it gets a 503";
        allowed_origins: String = "",
            "Other origins whose pages may connect, with commas between";
        secure_cookies: bool = "false",
            "true: cookies are for HTTPS only, also if no proxy says HTTPS";
        jwt_secret: Option<String> = "",
            "Signs tokens, 32 bytes or more; else they end with the program";
        trusted_proxies: Vec<IpAddr> = "",
            "IP addresses of our proxies, whose X-Forwarded-* we believe";
        log_format: LogFormat = "text",
            "text, or json for a program that collects lines";
        log_filter: Targets = "info",
            "What is logged: error, warn, info, debug, trace or off";
        metrics_addr: Option<SocketAddr> = "",
            "Where Prometheus gets GET /metrics; without it, nobody does";
    }
    "Several nodes" {
        nats_url: Option<String> = "",
            "Servers of NATS, with commas between; else this is the only node";
        nats_replicas: NonZeroUsize = "1",
            "Servers of NATS that keep the log, when it is created: 1, 3 or 5";
        nats_max_size: Option<NonZeroU32> = "",
            "Size of the log in MiB, when it is created; else without limit";
    }
    "Connections" {
        max_connections: NonZeroUsize = "800",
            "WebSockets at a time; the next one gets a 503";
        max_connections_per_user: NonZeroUsize = "10",
            "WebSockets of one person; the next one is closed with 1008";
        max_http_connections: NonZeroUsize = "200",
            "TCP connections that are no WebSocket yet; the next one waits";
    }
    "Rooms and outboxes" {
        max_members_per_room: NonZeroUsize = "40",
            "Members of a room; the next one is closed with 1013";
        max_rooms: NonZeroUsize = "100",
            "Rooms at a time; who opens the next one is closed with 1013";
        outbox_size: usize = "1024",
            "Messages that may wait for one client";
    }
    "What one person may do" {
        messages_per_second: NonZeroU32 = "10",
            "Messages in a second; it limits uploads, too";
        message_burst: NonZeroU32 = "20",
            "Messages at once, after a pause; to connect counts as two";
        changes_per_second: NonZeroU32 = "20", "Changes over HTTP in a second";
        change_burst: NonZeroU32 = "200", "Changes at once, after a pause";
        reads_per_second: NonZeroU32 = "20", "Things to read over HTTP in a second";
        read_burst: NonZeroU32 = "100", "Things to read at once, after a pause";
    }
    "Times in seconds" {
        header_timeout: Duration = "5", "For the head of a request to arrive";
        body_timeout: Duration = "5", "For the body of a request to arrive";
        max_connection_age: Duration = "30", "For a TCP connection to serve requests";
        shutdown_delay: Duration = "0",
            "For GET /ready to answer 503, before the shutdown begins";
        shutdown_timeout: Duration = "8", "For clients to leave before the program ends";
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object in each line, for a program that collects the lines of many servers.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it should be text or json"),
        }
    }
}

/// An environment: the names of its variables, and their values.
pub type Variables = BTreeMap<String, OsString>;

impl Config {
    /// Reads the configuration. For `--help` it prints that, and ends the program.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        match env::args().nth(1).as_deref() {
            None => {}
            Some("--help" | "-h") => {
                let _ = io::stdout().write_all(help().as_bytes()); // Or nobody reads it.
                process::exit(0);
            }
            Some(_) => return Err("There are no options but --help.".into()),
        }
        let variables = env::vars_os();
        let variables = variables.map(|(k, v)| (k.to_string_lossy().into_owned(), v));
        Self::read(variables.collect())
    }

    /// Reads it from this environment.
    pub fn read(mut variables: Variables) -> Result<Self, String> {
        check_names(&variables)?;
        if let Some(common) = variables.remove("ADDR") {
            variables.entry("CHAT_ADDR".into()).or_insert(common); // As in all lessons.
        }
        Self::parse(&variables)?.check()
    }

    /// How many bytes a client may send in a second: the longest messages, as fast as
    /// messages may come.
    pub fn bytes_per_second(&self) -> u64 {
        MAX_MESSAGE_SIZE as u64 * u64::from(self.messages_per_second.get())
    }

    /// Refuses values that contradict each other.
    fn check(self) -> Result<Self, String> {
        let burst = self.message_burst.get() as usize;
        // If all members of a room send at once and leave, and nobody has had time to read,
        // then all of it waits in each outbox.
        let crowd = self.max_members_per_room.get().saturating_mul(burst + 1);
        let connections = self.max_connections.max(self.max_http_connections).get();
        let longest = self.header_timeout.max(self.body_timeout);
        let body = self.bytes_per_second() * self.body_timeout.as_secs();

        let contradiction = if self.nats_url.is_some() && self.jwt_secret.is_none() {
            // Each would make up its own, and refuse the tokens of the others.
            "With CHAT_NATS_URL, set CHAT_JWT_SECRET, the same on all nodes."
        } else if self.nats_url.is_none()
            && (self.nats_replicas.get() != 1 || self.nats_max_size.is_some())
        {
            // Has somebody mistyped the first? Each node would be alone.
            "CHAT_NATS_REPLICAS and CHAT_NATS_MAX_SIZE do nothing without CHAT_NATS_URL."
        } else if ![1, 3, 5].contains(&self.nats_replicas.get()) {
            // Of two or four, no more may fail than of one or three.
            let replicas = self.nats_replicas;
            return Err(format!(
                "CHAT_NATS_REPLICAS is {replicas}, but should be 1, 3 or 5."
            ));
        } else if burst < 2 {
            "CHAT_MESSAGE_BURST is 1, but to connect counts as 2."
        } else if self.outbox_size < crowd {
            return Err(format!(
                "CHAT_OUTBOX_SIZE is {}, but a full room may send {crowd} messages at once: \
                 CHAT_MAX_MEMBERS_PER_ROOM times one more than CHAT_MESSAGE_BURST.",
                self.outbox_size
            ));
        } else if connections > Semaphore::MAX_PERMITS {
            "CHAT_MAX_CONNECTIONS and CHAT_MAX_HTTP_CONNECTIONS are too many for any machine."
        } else if self.header_timeout.is_zero() || self.body_timeout.is_zero() {
            "CHAT_HEADER_TIMEOUT and CHAT_BODY_TIMEOUT should be 1 or more."
        } else if self.metrics_addr == Some(self.addr) && self.addr.port() != 0 {
            "CHAT_METRICS_ADDR is CHAT_ADDR, but the metrics need an address of their own."
        } else if self.max_connection_age < longest {
            "CHAT_MAX_CONNECTION_AGE should not be less than CHAT_HEADER_TIMEOUT and \
             CHAT_BODY_TIMEOUT."
        } else if body < MAX_BODY_SIZE as u64 {
            "CHAT_MESSAGES_PER_SECOND lets in fewer bytes within CHAT_BODY_TIMEOUT than the \
             longest body has, 1 MiB."
        } else {
            return Ok(self);
        };
        Err(contradiction.into())
    }
}

/// The configuration without any variable, for the tests.
#[cfg(test)]
impl Default for Config {
    fn default() -> Self {
        Self::read(Variables::new()).expect("the defaults agree with each other")
    }
}

/// A type that a setting may have.
trait Setting: Sized {
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! from_text {
    ($($type:ty),*) => {
        $(impl Setting for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error: <Self as FromStr>::Err| error.to_string())
            }
        })*
    };
}

from_text!(LogFormat, NonZeroU32, NonZeroUsize, PathBuf, String, bool, usize);

impl Setting for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            "it should be an IP address and a port, as in 127.0.0.1:18000".into()
        })
    }
}

/// The default is empty, and means none.
impl<T: Setting> Setting for Option<T> {
    fn parse(text: &str) -> Result<Self, String> {
        Some(text).filter(|text| !text.is_empty()).map(T::parse).transpose()
    }
}

impl Setting for Targets {
    fn parse(text: &str) -> Result<Self, String> {
        // A word alone would also be taken for a module, and then nothing else is logged.
        let is_level =
            |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
        let filter = text.parse().ok().filter(|_| text.split(',').all(is_level));
        filter.ok_or_else(|| {
            "it should be error, warn, info, debug, trace or off, as in info,hyper=debug"
                .into()
        })
    }
}

/// With commas between.
impl Setting for Vec<IpAddr> {
    fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let addresses: Result<_, _> = entries.map(str::parse).collect();
        addresses.map_err(|_| "it should be IP addresses, as in 127.0.0.1,::1".into())
    }
}

impl Setting for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        // Of 32 bits: that is 136 years, and more would overflow the clock.
        let seconds: u32 = text.parse().map_err(|_| "it should be whole seconds")?;
        Ok(Self::from_secs(seconds.into()))
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

/// The value of a setting, or else its default. The error names the variable.
fn value<T: Setting>(
    variables: &Variables,
    name: &str,
    default: &str,
) -> Result<T, String> {
    let name = variable(name);
    let text = match variables.get(&name) {
        None => default,
        Some(text) => text.to_str().ok_or(format!("{name} is not text in UTF-8."))?,
    };
    if text.is_empty() && variables.contains_key(&name) {
        return Err(format!("{name} is empty: leave it out, or give it a value."));
    }
    match T::parse(text) {
        Ok(value) => Ok(value),
        Err(_) if text == "0" => {
            Err(format!("{name} is 0: that would keep everybody out."))
        }
        Err(error) => Err(format!("{name} is {text:?}: {error}.")),
    }
}

/// Refuses variables that look like ours, but are not: somebody has mistyped one.
fn check_names(variables: &Variables) -> Result<(), String> {
    let known = |name: &str| {
        SETTINGS
            .iter()
            .flat_map(|(_, settings)| *settings)
            .any(|(known, ..)| variable(known) == name)
    };
    let mut ours = variables.keys().filter(|name| name.starts_with(PREFIX));
    match ours.find(|name| !known(name)) {
        Some(name) => Err(format!("There is no variable {name}: --help lists them all.")),
        None => Ok(()),
    }
}

/// What `--help` prints: one line for each variable, with its default.
pub fn help() -> String {
    let mut help = String::from(
        "Chat, live data and tasks over WebSockets.\n\n\
         The configuration is in the environment. These are its variables and their defaults.\n",
    );
    for (heading, settings) in SETTINGS {
        help += &format!("\n{heading}\n");
        for (name, default, what) in *settings {
            let name = variable(name);
            let shown =
                if default.is_empty() { name } else { format!("{name}={default}") };
            help += &format!("  {shown:33} {what}\n");
        }
    }
    help
}
