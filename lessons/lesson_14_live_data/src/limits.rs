//! Every limit of the program, in one place.

use std::{env, fmt::Display, str::FromStr, time::Duration};

use tokio::sync::Semaphore;

use crate::{LINE_LIMIT, outbox::SlowClient};

/// How much of everything there may be.
///
/// All but the times have a name in the environment, in capitals: `ROOMS=20`.
#[derive(Clone, Copy)]
pub struct Limits {
    /// How many WebSockets there may be at a time. The next one gets a 503.
    pub connections: usize,
    /// How many of them may belong to one person. The next one is closed with 1008.
    pub connections_per_user: usize,
    /// How many people fit into a room. The next one is closed with 1013.
    pub members_per_room: usize,
    /// How many rooms there may be at a time. Whoever opens the next one is closed with
    /// 1013.
    pub rooms: usize,
    /// How many messages a person may send in a second, for as long as they like, over
    /// all of their connections.
    pub messages_per_second: u32,
    /// How many they may send at once, after a pause.
    pub burst: u32,
    /// How many things a person may change over HTTP in a second, for as long as they like.
    pub changes_per_second: u32,
    /// How many they may change at once, after a pause.
    pub change_burst: u32,
    /// How many messages may wait for one client.
    pub outbox: usize,
    /// What we do when its outbox is full.
    pub slow_client: SlowClient,
    /// How many lines there may be that are no WebSocket yet. The next one waits at the
    /// door.
    pub open_lines: usize,
    /// How long the head of a request may take to arrive. Then the line is cut.
    pub request_head: Duration,
    /// How long a line may serve requests. Then it has to make room for another one.
    pub line: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 800,
            connections_per_user: 5,
            members_per_room: 40,
            rooms: 100,
            messages_per_second: 10,
            burst: 20,
            changes_per_second: 20,
            change_burst: 200,
            outbox: 1024,
            slow_client: SlowClient::Close,
            open_lines: 200, // And 800: many systems give a process 1,024 files.
            request_head: Duration::from_secs(5),
            line: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The limits that the environment names, and the usual ones for the rest.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        Self::read(|name| env::var(name).ok())
    }

    /// The same, if `env` is what the environment says.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut limits = Self::default();
        set(&mut limits.connections, "CONNECTIONS", &env)?;
        set(&mut limits.connections_per_user, "CONNECTIONS_PER_USER", &env)?;
        set(&mut limits.members_per_room, "MEMBERS_PER_ROOM", &env)?;
        set(&mut limits.rooms, "ROOMS", &env)?;
        set(&mut limits.messages_per_second, "MESSAGES_PER_SECOND", &env)?;
        set(&mut limits.burst, "BURST", &env)?;
        set(&mut limits.changes_per_second, "CHANGES_PER_SECOND", &env)?;
        set(&mut limits.change_burst, "CHANGE_BURST", &env)?;
        set(&mut limits.outbox, "OUTBOX", &env)?;
        set(&mut limits.slow_client, "SLOW_CLIENT", &env)?;
        set(&mut limits.open_lines, "OPEN_LINES", &env)?;
        limits.check()
    }

    /// How many bytes may come over a line in a second: the longest messages that it
    /// carries, at the pace of messages. Whatever comes faster waits.
    pub fn bytes_per_second(&self) -> u64 {
        LINE_LIMIT as u64 * u64::from(self.messages_per_second)
    }

    /// Refuses limits that would harm people who keep to them.
    fn check(self) -> Result<Self, String> {
        let some = [
            self.connections,
            self.connections_per_user,
            self.members_per_room,
            self.rooms,
            self.messages_per_second as usize,
            self.burst as usize,
            self.changes_per_second as usize,
            self.change_burst as usize,
            self.open_lines,
        ];
        if some.contains(&0) {
            return Err("A limit of 0 would keep everybody out.".into());
        }
        if self.connections.max(self.open_lines) > Semaphore::MAX_PERMITS {
            return Err("No machine has room for so many connections.".into());
        }

        // If all members of a room speak at once, and nobody has had time to read, then
        // all that waits in each outbox.
        let crowd = self.members_per_room.saturating_mul(self.burst as usize);
        if self.outbox < crowd {
            let outbox = self.outbox;
            return Err(format!(
                "OUTBOX is {outbox}, but a full room may send {crowd} messages at once."
            ));
        }
        Ok(self)
    }
}

/// Sets a limit to what the environment says, if it says something.
fn set<T: FromStr<Err: Display>>(
    limit: &mut T,
    name: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(), String> {
    if let Some(text) = env(name) {
        *limit = text.parse().map_err(|error| format!("{name} is {text:?}: {error}."))?;
    }
    Ok(())
}
