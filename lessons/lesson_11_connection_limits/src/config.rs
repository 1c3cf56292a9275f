//! The configuration: one struct, read from the environment and checked before the start.

use std::{env, ffi::OsString};

use lesson_08_auth::OUTBOX_SIZE;
use tracing::{info, warn};

/// The names of our variables. All of them begin with `MAX_`.
const NAMES: [&str; 4] =
    ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_USER", "MAX_ROOMS", "MAX_MEMBERS_PER_ROOM"];

/// How many files we need beside the WebSockets, for requests, the listener and the runtime.
const OTHER_FILES: u64 = 200;

/// How many there may be of what grows when clients want it to.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub max_connections: usize,
    pub max_connections_per_user: usize,
    pub max_rooms: usize,
    pub max_members_per_room: usize,
}

impl Config {
    /// Reads the environment, and makes sure that the process may open enough files.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        for (name, _) in env::vars_os() {
            let is_ours = NAMES.iter().any(|known| name == *known);
            if !is_ours && name.as_encoded_bytes().starts_with(b"MAX_") {
                warn!("{name:?} is set, but our variables are {}", NAMES.join(", "));
            }
        }
        let config = Self::read(|name| env::var_os(name))?;
        info!("{config:?}"); // Somebody may look for the limits that are in force.
        config.raise_file_limit().map(|()| config)
    }

    /// Reads the configuration from this environment.
    ///
    /// No limit may be more than anybody can reach, and no full room may need more than an
    /// outbox has: a message of each member at once, and one announcement.
    pub fn read(environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let number = |name: &str, default: usize, max: usize| {
            let Some(value) = environment(name) else { return Ok(default.min(max)) };
            let number = value.to_str().and_then(|text| text.trim().parse().ok());
            number.filter(|number| (1..=max).contains(number)).ok_or_else(|| {
                format!("{name} is {value:?}, not a whole number from 1 to {max}.")
            })
        };
        let [connections, per_user, rooms, members] = NAMES;
        let all = number(connections, 800, 1_000_000)?;
        Ok(Self {
            max_connections: all,
            max_connections_per_user: number(per_user, 5, all)?,
            max_rooms: number(rooms, 100, all)?,
            max_members_per_room: number(members, 40, all.min(OUTBOX_SIZE - 1))?,
        })
    }

    /// Raises the soft limit for open files to what we need, if the hard limit allows it.
    fn raise_file_limit(&self) -> Result<(), String> {
        let needed = self.max_connections as u64 + OTHER_FILES;
        match rlimit::increase_nofile_limit(needed) {
            Ok(limit) if limit >= needed => Ok(()),
            Ok(limit) => Err(format!(
                "MAX_CONNECTIONS is {}, so we may need {needed} open files, but the system \
                 allows {limit} (ulimit -n).",
                self.max_connections
            )),
            Err(error) => Err(format!("We may not raise the limit for files: {error}.")),
        }
    }
}
