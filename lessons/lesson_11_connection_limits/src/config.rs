//! The configuration: one struct, read from the environment and checked before the start.

use std::{env, ffi::OsString};

use lesson_08_auth::OUTBOX_SIZE;
use tracing::{info, warn};

use crate::connection_limits::SURPLUS_FACTOR;

/// Our variables: the name, the default, and the reason why there may be no more.
const VARIABLES: [(&str, usize, &str); 4] = [
    ("MAX_CONNECTIONS", 800, "few systems allow more files"),
    ("MAX_CONNECTIONS_PER_USER", 5, "1, or less than a third of MAX_CONNECTIONS"),
    ("MAX_ROOMS", 100, "at most MAX_CONNECTIONS"),
    ("MAX_MEMBERS_PER_ROOM", 40, "at most MAX_CONNECTIONS, less than an outbox takes"),
];

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
    /// Reads the environment, and makes sure that the process may open enough files. The
    /// error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        for (name, _) in env::vars_os() {
            let is_ours = VARIABLES.iter().any(|(known, ..)| name == *known);
            if !is_ours && name.as_encoded_bytes().starts_with(b"MAX_") {
                warn!("{name:?} is set, but nothing here reads it");
            }
        }
        let config = Self::read(|name| env::var_os(name))?;
        info!("{config:?}"); // Somebody may look for the limits that are in force.
        config.raise_file_limit().map(|()| config)
    }

    /// Reads the configuration from this environment. Each number has to be in its range.
    pub fn read(environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let number = |(name, default, why): (&str, usize, &str), max: usize| {
            let Some(raw) = environment(name) else { return Ok(default.min(max)) };
            let number = raw.to_str().and_then(|text| text.trim().parse().ok());
            number.filter(|number| (1..=max).contains(number)).ok_or_else(|| {
                format!("{name} is {raw:?}, not a whole number from 1 to {max} ({why}).")
            })
        };
        let [connections, per_user, rooms, members] = VARIABLES;
        let all = number(connections, 1_000_000)?;
        let own = ((all - 1) / (1 + SURPLUS_FACTOR)).max(1); // With its surplus, not all.
        Ok(Self {
            max_connections: all,
            max_connections_per_user: number(per_user, own)?,
            max_rooms: number(rooms, all)?,
            max_members_per_room: number(members, all.min(OUTBOX_SIZE - 1))?,
        })
    }

    /// Raises the soft limit for open files to what we need, if the hard limit allows it.
    fn raise_file_limit(&self) -> Result<(), String> {
        let needed = self.max_connections as u64 + OTHER_FILES;
        match rlimit::increase_nofile_limit(needed) {
            Ok(limit) if limit >= needed => Ok(()),
            Ok(limit) => Err(format!(
                "MAX_CONNECTIONS needs {needed} open files, but ulimit -n is {limit}."
            )),
            Err(error) => Err(format!("We may not raise the limit for files: {error}.")),
        }
    }
}
