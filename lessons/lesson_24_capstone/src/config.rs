//! The configuration: one struct, read from the environment and checked at the start.

use std::{
    collections::BTreeMap,
    env,
    error::Error as _,
    ffi::OsString,
    iter,
    net::SocketAddr,
    num::{IntErrorKind, NonZeroU32, NonZeroUsize, ParseIntError},
    path::PathBuf,
    time::Duration,
};

use clap::{
    Arg, ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum,
    builder::{BoolishValueParser, Resettable},
    error::{ContextKind, ContextValue, Error},
};
use tokio::sync::Semaphore;

/// What the names of all our variables begin with.
const PREFIX: &str = "CHAT_";

/// The longest message that a client may send, in bytes. A longer one ends the connection.
///
/// It is twice what the protocol allows, so that somebody who is a little over that limit
/// gets an error message and can go on.
pub const MAX_MESSAGE_SIZE: usize = 64 * 1024;

/// The secret is no option: all users of a machine can read the arguments of a program.
const SECRET: &str = "CHAT_JWT_SECRET";

/// How `--help` begins.
const INTRODUCTION: &str = concat!(
    "Chat, live data and tasks over WebSockets.\n\nUsage: ",
    env!("CARGO_PKG_NAME"),
    " [OPTIONS]\n\n\
     The variables of the environment, with their defaults. Each but the last is an \
     option,\ntoo, which comes first: --max-rooms 7 is CHAT_MAX_ROOMS=7.\n",
);

/// How `--help` ends.
const ABOUT_THE_SECRET: &str = "
Secret
  CHAT_JWT_SECRET                  Signs tokens, 32 bytes or more; else they end with the program
";

/// The configuration of the server.
///
/// The comments are what `--help` prints, where a heading stands above its first option.
#[derive(Clone, Parser)]
pub struct Config {
    /// IP address and port to listen on; ADDR works, too
    #[arg(long, env = "CHAT_ADDR", default_value = "127.0.0.1:8000", value_parser = address)]
    #[arg(help_heading = "Server")]
    pub addr: SocketAddr,

    /// File of the database; without it, data ends with the program
    #[arg(long, env = "CHAT_DATABASE")]
    pub database: Option<PathBuf>,

    /// Size of the database in MiB; when it is full, a change gets a 503
    #[arg(long, env = "CHAT_MAX_DATABASE_SIZE", default_value = "1024")]
    pub max_database_size: NonZeroU32,

    /// Other origins whose pages may connect, with commas between
    #[arg(long, env = "CHAT_ALLOWED_ORIGINS", default_value = "")]
    pub allowed_origins: String,

    /// Whether browsers send our cookie over HTTPS only: true or false
    #[arg(long, env = "CHAT_SECURE_COOKIES", default_value = "false")]
    #[arg(action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub secure_cookies: bool,

    /// WebSockets at a time; the next one gets a 503
    #[arg(long, env = "CHAT_MAX_CONNECTIONS", default_value = "800", value_parser = permits)]
    #[arg(help_heading = "Connections")]
    pub max_connections: NonZeroUsize,

    /// WebSockets of one person; the next one is closed with 1008
    #[arg(long, env = "CHAT_MAX_CONNECTIONS_PER_USER", default_value = "10")]
    pub max_connections_per_user: NonZeroUsize,

    /// TCP connections that are no WebSocket yet; the next one waits
    #[arg(long, env = "CHAT_MAX_HTTP_CONNECTIONS", default_value = "200", value_parser = permits)]
    pub max_http_connections: NonZeroUsize,

    /// Members of a room; the next one is closed with 1013
    #[arg(long, env = "CHAT_MAX_MEMBERS_PER_ROOM", default_value = "40")]
    #[arg(help_heading = "Rooms and outboxes")]
    pub max_members_per_room: NonZeroUsize,

    /// Rooms at a time; who opens the next one is closed with 1013
    #[arg(long, env = "CHAT_MAX_ROOMS", default_value = "100")]
    pub max_rooms: NonZeroUsize,

    /// Messages that may wait for one client
    #[arg(long, env = "CHAT_OUTBOX_SIZE", default_value = "1024")]
    pub outbox_size: usize,

    /// When more wait: close, drop the oldest, or tell (drop and say so)
    #[arg(long, env = "CHAT_SLOW_CLIENT", value_enum, default_value = "close")]
    pub slow_client: SlowClient,

    /// Messages in a second, over all connections
    #[arg(long, env = "CHAT_MESSAGES_PER_SECOND", default_value = "10")]
    #[arg(help_heading = "What one person may do")]
    pub messages_per_second: NonZeroU32,

    /// Messages at once, after a pause; to connect counts as two
    #[arg(long, env = "CHAT_MESSAGE_BURST", default_value = "20")]
    pub message_burst: NonZeroU32,

    /// Changes over HTTP in a second
    #[arg(long, env = "CHAT_CHANGES_PER_SECOND", default_value = "20")]
    pub changes_per_second: NonZeroU32,

    /// Changes at once, after a pause
    #[arg(long, env = "CHAT_CHANGE_BURST", default_value = "200")]
    pub change_burst: NonZeroU32,

    /// Things to read over HTTP in a second
    #[arg(long, env = "CHAT_READS_PER_SECOND", default_value = "20")]
    pub reads_per_second: NonZeroU32,

    /// Things to read at once, after a pause
    #[arg(long, env = "CHAT_READ_BURST", default_value = "100")]
    pub read_burst: NonZeroU32,

    /// For the head of a request to arrive
    #[arg(long, env = "CHAT_HEADER_TIMEOUT", default_value = "5", value_parser = timeout)]
    #[arg(help_heading = "Times in seconds")]
    pub header_timeout: Duration,

    /// For the body of a request to arrive
    #[arg(long, env = "CHAT_BODY_TIMEOUT", default_value = "5", value_parser = timeout)]
    pub body_timeout: Duration,

    /// For a TCP connection to serve requests
    #[arg(long, env = "CHAT_KEEP_ALIVE", default_value = "30", value_parser = timeout)]
    pub keep_alive: Duration,

    /// For GET /ready to answer 503, before the shutdown begins
    #[arg(long, env = "CHAT_SHUTDOWN_DELAY", default_value = "0", value_parser = seconds)]
    pub shutdown_delay: Duration,

    /// For clients to leave before the program ends
    #[arg(long, env = "CHAT_SHUTDOWN_TIMEOUT", default_value = "8", value_parser = seconds)]
    pub shutdown_timeout: Duration,

    /// What tokens are signed with: see [`SECRET`].
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

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn permits(text: &str) -> Result<NonZeroUsize, BoxError> {
    let number: NonZeroUsize = text.parse()?;
    if number.get() > Semaphore::MAX_PERMITS {
        return Err("no machine has room for so many".into());
    }
    Ok(number)
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "it should be an IP address and a port, as in 127.0.0.1:18000")
}

/// Fewer than 2³², which is 136 years: more than that overflows the clock.
fn seconds(text: &str) -> Result<Duration, ParseIntError> {
    text.parse::<u32>().map(|seconds| Duration::from_secs(seconds.into()))
}

fn timeout(text: &str) -> Result<Duration, ParseIntError> {
    text.parse::<NonZeroU32>().map(|seconds| Duration::from_secs(seconds.get().into()))
}

/// An environment: the names of its variables, and their values.
pub type Variables = BTreeMap<String, OsString>;

impl Config {
    /// Reads the configuration. For `--help` it prints that, and ends the program.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        // It helps even if something is wrong with the variables.
        if let Err(help) = Self::command().override_help(help()).try_get_matches()
            && !help.use_stderr()
        {
            help.exit();
        }
        let variables = env::vars_os();
        let variables = variables.map(|(k, v)| (k.to_string_lossy().into_owned(), v));
        Self::read(env::args_os(), &variables.collect())
    }

    /// Reads the options, and the variables of this environment for those that are left out.
    ///
    /// Why not let clap read the variables? It knows the environment of the process alone,
    /// which a test cannot choose.
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
        variables: &Variables,
    ) -> Result<Self, String> {
        check_names(variables)?;
        let options = Self::command().mut_args(|arg| arg.env(Resettable::Reset));
        let mut arguments = arguments.into_iter();
        let program = arguments.next().unwrap_or_else(|| env!("CARGO_PKG_NAME").into());
        // Variables come before the options, which override them.
        let all = iter::once(program).chain(as_options(variables)).chain(arguments);
        let matches = options.args_override_self(true).try_get_matches_from(all);
        let matches = matches.map_err(|error| sentence(&error))?;

        let config =
            Self::from_arg_matches(&matches).expect("clap has read every option");
        let jwt_secret = variables.get(SECRET).cloned().map(OsString::into_encoded_bytes);
        Self { jwt_secret, ..config }.check()
    }

    /// How many bytes a client may send in a second: the longest messages, as fast as
    /// messages may come.
    pub fn bytes_per_second(&self) -> u64 {
        MAX_MESSAGE_SIZE as u64 * u64::from(self.messages_per_second.get())
    }

    /// Refuses values that contradict each other.
    fn check(self) -> Result<Self, String> {
        let burst = self.message_burst.get() as usize;
        if burst < 2 {
            let sentence = "CHAT_MESSAGE_BURST is 1, but to connect counts as 2.";
            return Err(sentence.into());
        }

        // If all members of a room send at once and leave, and nobody has had time to read,
        // then all of it waits in each outbox.
        let crowd = self.max_members_per_room.get().saturating_mul(burst + 1);
        if self.outbox_size < crowd {
            let size = self.outbox_size;
            return Err(format!(
                "CHAT_OUTBOX_SIZE is {size}, but a full room may send {crowd} messages at \
                 once: CHAT_MAX_MEMBERS_PER_ROOM times one more than CHAT_MESSAGE_BURST."
            ));
        }

        let keep_alive = self.keep_alive.as_secs();
        let longest = self.header_timeout.max(self.body_timeout).as_secs();
        if keep_alive < longest {
            return Err(format!(
                "CHAT_KEEP_ALIVE is {keep_alive}, but a request may take {longest} seconds: \
                 CHAT_HEADER_TIMEOUT or CHAT_BODY_TIMEOUT."
            ));
        }
        Ok(self)
    }
}

/// The configuration without any variable, for the tests.
#[cfg(test)]
impl Default for Config {
    fn default() -> Self {
        Self::read([], &Variables::new()).expect("the defaults agree with each other")
    }
}

/// The variables that are set, as options: `CHAT_MAX_ROOMS=7` is `--max-rooms=7`.
fn as_options(variables: &Variables) -> Vec<OsString> {
    let as_option = |arg: &Arg| {
        let name = arg.get_env()?.to_str()?;
        let common = (name == "CHAT_ADDR").then_some("ADDR"); // As in all lessons.
        let value = variables.get(name).or_else(|| variables.get(common?))?;
        let mut option = OsString::from(format!("--{}=", arg.get_long()?));
        option.push(value);
        Some(option)
    };
    Config::command().get_arguments().filter_map(as_option).collect()
}

/// Refuses variables that look like ours, but are not: somebody has mistyped one.
fn check_names(variables: &Variables) -> Result<(), String> {
    let command = Config::command();
    let known: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()).collect();
    let mut ours = variables.keys().filter(|name| name.starts_with(PREFIX));
    match ours.find(|&name| name != SECRET && !known.contains(&name.as_ref())) {
        Some(name) => Err(format!("There is no variable {name}: --help lists them all.")),
        None => Ok(()),
    }
}

/// What is wrong with a variable. An option has the name of its variable here.
fn sentence(error: &Error) -> String {
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => explain(source),
        (None, Some(ContextValue::Strings(valid))) if !valid.is_empty() => {
            format!("it may be one of {}", valid.join(", "))
        }
        // It may be about no value, but about an unknown option, or one without a value.
        _ => {
            let text = error.to_string();
            let problem = text.lines().next().unwrap_or_default();
            return format!("{}.", problem.trim_start_matches("error: "));
        }
    };
    // Such as `--max-rooms <MAX_ROOMS>`.
    let usage = context(ContextKind::InvalidArg);
    let name = usage.split(' ').next().unwrap_or_default();
    let name = name.trim_start_matches('-').replace('-', "_").to_uppercase();
    format!("{PREFIX}{name} is {:?}: {reason}.", context(ContextKind::InvalidValue))
}

fn explain(source: &(dyn std::error::Error + 'static)) -> String {
    match source.downcast_ref().map(ParseIntError::kind) {
        Some(IntErrorKind::Zero) => "a limit of 0 would keep everybody out".into(),
        _ => source.to_string(),
    }
}

/// What `--help` prints: one line for each variable.
pub fn help() -> String {
    let mut help = String::from(INTRODUCTION);
    for arg in Config::command().get_arguments() {
        if let Some(heading) = arg.get_help_heading() {
            help += &format!("\n{heading}\n");
        }
        let name = arg.get_env().unwrap_or_default().to_string_lossy();
        let mut variable = name.into_owned();
        if let [default] = arg.get_default_values()
            && !default.is_empty()
        {
            variable += &format!("={}", default.display());
        }
        let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
        help += &format!("  {variable:32} {text}\n");
    }
    help + ABOUT_THE_SECRET
}
