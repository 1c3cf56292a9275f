//! What one can ask for on the command line.

use std::{net::IpAddr, path::PathBuf, str::FromStr};

use crate::schedule::{Plan, SETTLE};

/// Declares the options: a field of [`Options`], its type, its default, and what it is. The
/// option of `svg` is `--svg`.
///
/// Why a macro? The struct, what reads it and what `--help` prints cannot contradict one
/// another, as in the configuration of the capstone.
macro_rules! options {
    ($($name:ident: $type:ty = $default:literal, $what:literal;)*) => {
        #[derive(Clone)]
        pub struct Options {
            $(#[doc = $what] pub $name: $type,)*
        }

        impl Options {
            /// The error is a sentence for the person who started the program.
            pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
                $(let mut $name = $default.to_owned();)*
                while let Some(word) = words.next() {
                    let text = match word.strip_prefix("--") {
                        $(Some(stringify!($name)) => &mut $name,)*
                        _ => return Err(format!("There is no option {word}: see --help.")),
                    };
                    *text = words.next().ok_or(format!("{word} needs a value."))?;
                }
                Self { $($name: value(stringify!($name), &$name)?,)* }.check()
            }
        }

        /// The names, defaults and explanations of the options.
        const OPTIONS: &[(&str, &str, &str)] =
            &[$((stringify!($name), $default, $what)),*];
    };
}

options! {
    server: String = "127.0.0.1:8000", "host and port";
    rooms: usize = "1", "rooms";
    members: usize = "20", "members of each room";
    senders: usize = "10", "members of each room who write";
    slow: usize = "0", "members of each room who read nothing until the end";
    rate: List<f64> = "50", "messages a second, of all senders together; or several, in turn";
    seconds: u64 = "10", "how long each rate is measured, after a second that is not";
    size: usize = "100", "bytes of a message, at least";
    ids: bool = "false", "true for messages with an id, which lesson 18 acknowledges";
    closed: usize = "0", "messages of a sender under way, at most. Measures wrongly";
    arrivals: f64 = "500", "new connections a second, at the beginning";
    storm: u64 = "0", "second in which all connections are cut, and come back";
    limit: f64 = "100", "milliseconds that 99 of 100 deliveries may take, for the knee";
    people: PathBuf = "", "file with a name and a password, or a token, in each line";
    processes: usize = "1", "processes that share the rooms";
    from: List<IpAddr> = "", "addresses to connect from, in turn";
    svg: PathBuf = "", "file for a picture of the result";
    json: bool = "false", "true for a result in JSON";
}

/// The most messages in a second for which an open loop keeps a schedule.
const HIGHEST_RATE: f64 = 1e6;

/// Values with commas between them.
#[derive(Clone)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        Ok(Self(parts.map(str::parse).collect::<Result<_, _>>()?))
    }
}

fn value<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("--{name} cannot be {text:?}: see --help."))
}

pub fn help() -> String {
    let line = |(name, default, what): &(&str, &str, &str)| {
        format!("  {:26} {what}\n", format!("--{name} {default}"))
    };
    let lines: String = OPTIONS.iter().map(line).collect();
    format!(
        "Usage: lesson_23_load [OPTIONS]\n\nThe options, with their defaults:\n{lines}"
    )
}

impl Options {
    fn check(self) -> Result<Self, String> {
        let rates = &self.rate.0;
        let all_positive = rates.iter().chain([&self.arrivals]).all(|&rate| rate > 0.0);
        let sentence = if self.rooms * self.senders == 0 {
            "Somebody has to write: --rooms and --senders are above 0."
        } else if self.senders + self.slow > self.members {
            "Who writes and who is slow are different members: --senders and --slow are \
             together not more than --members."
        } else if self.processes > self.rooms {
            "Processes share the rooms: --processes is not more than --rooms."
        } else if rates.is_empty()
            || !all_positive
            || self.seconds * self.processes as u64 == 0
        {
            "--rate, --arrivals, --seconds and --processes are above 0."
        } else if self.closed == 0 && rates.iter().any(|&rate| rate > HIGHEST_RATE) {
            "An open loop needs a rate, of a million at most: only with --closed it may be inf."
        } else {
            return Ok(self);
        };
        Err(sentence.into())
    }

    pub fn plan(&self) -> Plan {
        Plan { rates: self.rate.0.clone(), step: self.seconds + SETTLE }
    }

    /// How many members of a room receive what is written there.
    pub fn readers(&self) -> usize {
        self.members - self.slow
    }
}
