//! The configuration: one struct, read from the environment and checked before the start.

use std::{
    env,
    ffi::{OsStr, OsString},
};

use lesson_08_auth::OUTBOX_SIZE;
use tracing::{info, warn};

/// All our variables begin with this.
const PREFIX: &[u8] = b"MAX_";

/// The names of our variables.
const NAMES: [&str; 4] =
    ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_USER", "MAX_ROOMS", "MAX_MEMBERS_PER_ROOM"];

/// How many files we need beside those of the WebSockets: for requests, for the listener,
/// and for what the runtime opens.
const OTHER_FILES: u64 = 200;

/// How many there may be of what grows when clients want it to.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// WebSockets at a time. The next one gets 503.
    pub max_connections: usize,
    /// WebSockets of one person. The next one is closed with 1008.
    pub max_connections_per_user: usize,
    /// Rooms at a time. Whoever opens the next one is closed with 1013.
    pub max_rooms: usize,
    /// Members of a room. The next one is closed with 1013.
    pub max_members_per_room: usize,
}

impl Config {
    /// Reads the environment, and makes sure that the process may open enough files.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        for name in env::vars_os().map(|(name, _)| name).filter(|name| is_unknown(name)) {
            warn!("{name:?} is set, but our variables are {}", NAMES.join(", "));
        }
        let config = Self::read(|name| env::var_os(name))?;
        config.raise_file_limit()?;
        info!("{config:?}"); // Somebody may look for the limits that are in force.
        Ok(config)
    }

    /// Reads the configuration from this environment.
    ///
    /// A default is smaller where there may be fewer connections. A value that somebody
    /// has chosen is not: if it contradicts another one, the error says so.
    pub fn read(environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let number = |name: &str, default| number(name, environment(name), default);
        let max_connections = number("MAX_CONNECTIONS", 800)?;
        let up_to = |default: usize| default.min(max_connections);

        let config = Self {
            max_connections,
            max_connections_per_user: number("MAX_CONNECTIONS_PER_USER", up_to(5))?,
            max_rooms: number("MAX_ROOMS", up_to(100))?,
            max_members_per_room: number("MAX_MEMBERS_PER_ROOM", up_to(40))?,
        };
        config.check().map(|()| config)
    }

    /// Refuses values that contradict each other.
    fn check(&self) -> Result<(), String> {
        let [_, per_user, rooms, members] = NAMES;
        let all = self.max_connections;
        for (name, value) in [
            (per_user, self.max_connections_per_user),
            (rooms, self.max_rooms),
            (members, self.max_members_per_room),
        ] {
            if value > all {
                return Err(format!(
                    "{name} is {value}, but nobody can reach that: MAX_CONNECTIONS is {all}."
                ));
            }
        }
        // If all members send at once, and nobody has had time to read, then an outbox must
        // take a message of each, and one batch of announcements.
        if self.max_members_per_room >= OUTBOX_SIZE {
            return Err(format!(
                "{members} is {}, but an outbox takes {OUTBOX_SIZE} batches: that is a \
                 message of each of {} members, and one announcement.",
                self.max_members_per_room,
                OUTBOX_SIZE - 1
            ));
        }
        Ok(())
    }

    /// Raises the soft limit for open files to what we need, if the hard limit allows it.
    fn raise_file_limit(&self) -> Result<(), String> {
        let connections = self.max_connections;
        let needed = (connections as u64).saturating_add(OTHER_FILES);
        match rlimit::increase_nofile_limit(needed) {
            Ok(limit) if limit >= needed => Ok(()),
            Ok(limit) => Err(format!(
                "MAX_CONNECTIONS is {connections}, so we may need {needed} open files, but \
                 the system allows {limit} (ulimit -n)."
            )),
            Err(error) => Err(format!("How many files may we open? {error}.")),
        }
    }
}

/// Reads one number. An empty value is a mistake, too: nobody writes it down to get the
/// default.
fn number(name: &str, value: Option<OsString>, default: usize) -> Result<usize, String> {
    let Some(value) = value else { return Ok(default) };
    match value.to_str().map(|text| text.trim().parse()) {
        Some(Ok(0)) => Err(format!("{name} is 0, which would keep everybody out.")),
        Some(Ok(number)) => Ok(number),
        _ => Err(format!("{name} is {value:?}, but it should be a whole number.")),
    }
}

/// Whether this looks like one of our variables, and is none.
fn is_unknown(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX)
        && !NAMES.iter().any(|known| name == *known)
}
