//! The log on SQLite: one connection, off the async threads, and one commit for all that
//! waits.

use std::{env, path::Path, time::Duration};

use futures_util::FutureExt;
use lesson_08_auth::RoomName;
use rusqlite::{
    Connection, OptionalExtension, Result, ToSql, Transaction,
    TransactionBehavior::Immediate, params, types::FromSqlError,
};
use tokio::{
    spawn,
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{error, warn};

use crate::{
    log::{AppendError, Draft, Log, LogEntry, Page, Receipt, Seq, Unavailable},
    protocol::MessageId,
    rooms::RoomManager,
};

const TABLES: &str = include_str!("tables.sql");

/// Whether a file is new, or has the mark that `TABLES` gives it.
const IS_OURS: &str = "SELECT application_id = 1667785076
    OR NOT EXISTS (SELECT 1 FROM sqlite_schema) FROM pragma_application_id";

/// What SQLite calls a database without a file. It is empty, and ends with the program.
const IN_MEMORY: &str = ":memory:";

/// How many jobs may wait for the disk, and so how many chats one commit can have.
const QUEUE_SIZE: usize = 32;

/// How many chats of a room are kept. Whoever comes back later than that gets a gap.
const CHATS_KEPT: Seq = 1_000;

/// How many ids are kept, in all rooms together. A chat that is sent again after so many
/// others is new.
const IDS_KEPT: i64 = 1_000_000;

/// How many chats a page has at most. It has twice as many as a commit: while a page is sent,
/// there is one more commit, and whoever must catch up has to be faster than those who write.
/// Not more than that, because a page waits in memory for each client that reads slowly.
const PAGE_SIZE: i64 = 2 * QUEUE_SIZE as i64;

/// How long a client waits for the disk. Then it is told to try again later.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A log in a file, or in memory.
pub struct SqliteLog {
    id: String,
    jobs: mpsc::Sender<Job>,
}

type Appended = Result<Seq, AppendError>;

/// What waits for the disk. A sender that is dropped means that it could not be done.
enum Job {
    Append(Draft, oneshot::Sender<Appended>),
    Read(RoomName, Seq, oneshot::Sender<Page>),
}

impl SqliteLog {
    /// Opens the file that `DATABASE` names, or else a database in memory. It delivers to
    /// `rooms`.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env(rooms: RoomManager) -> Result<Self, String> {
        let path = env::var_os("DATABASE").filter(|path| !path.is_empty());
        let path = path.unwrap_or_else(|| {
            warn!("DATABASE is not set: all chats end with this program");
            IN_MEMORY.into()
        });
        Self::open(&path, rooms).map_err(|reason| {
            format!("DATABASE={} cannot be used: {reason}.", path.display())
        })
    }

    /// Opens a file, or creates it.
    pub fn open(path: impl AsRef<Path>, rooms: RoomManager) -> Result<Self, String> {
        let connection = Connection::open(path).map_err(|error| error.to_string())?;
        // Whoever has another program's file in `DATABASE` does not want our tables in it.
        let is_ours = connection.query_row(IS_OURS, [], |row| row.get(0));
        if !is_ours.map_err(|error| error.to_string())? {
            return Err("it belongs to another program".into());
        }
        let id = prepare(&connection).map_err(|error| error.to_string())?;
        let (jobs, queue) = mpsc::channel(QUEUE_SIZE);
        spawn(work(queue, Worker { connection, rooms }));
        Ok(Self { id, jobs })
    }
}

/// Sets the connection up, and reads the id of the log.
fn prepare(connection: &Connection) -> Result<String> {
    // One process has the file: what others append would not be delivered here.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit waits for the disk, not for the kernel's cache alone: what is acknowledged
    // has to outlive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(TABLES)?;
    connection.query_row("SELECT id FROM log", [], |row| row.get(0))
}

impl Log for SqliteLog {
    fn id(&self) -> &str {
        &self.id
    }

    async fn append(&self, draft: Draft) -> Receipt {
        let (sender, receipt) = oneshot::channel();
        // If that takes too long, the sender is dropped, and the receipt is an error.
        let _ = timeout(TIMEOUT, self.jobs.send(Job::Append(draft, sender))).await;

        async {
            let answer = timeout(TIMEOUT, receipt).await.ok().and_then(Result::ok);
            answer.unwrap_or(Err(AppendError::Unavailable))
        }
        .boxed()
    }

    async fn read(&self, room: &RoomName, after: Seq) -> Result<Page, Unavailable> {
        let (sender, page) = oneshot::channel();
        let reading = async {
            self.jobs.send(Job::Read(room.clone(), after, sender)).await.ok()?;
            page.await.ok()
        };
        timeout(TIMEOUT, reading).await.ok().flatten().ok_or(Unavailable)
    }
}

/// Does the jobs, many at once, until nobody is left who could send one.
async fn work(mut queue: mpsc::Receiver<Job>, mut worker: Worker) {
    loop {
        let mut jobs = Vec::new();
        if queue.recv_many(&mut jobs, QUEUE_SIZE).await == 0 {
            return;
        }
        // On a thread that may wait for a disk.
        let work = move || {
            worker.work(jobs);
            worker
        };
        match spawn_blocking(work).await {
            Ok(back) => worker = back,
            // What if it went on? A chat that is committed, but was not delivered, would be
            // missing between those before it and those after it. So all get 1013 from now on.
            Err(panic) => return error!(%panic, "the log has ended: restart the program"),
        }
    }
}

struct Worker {
    connection: Connection,
    rooms: RoomManager,
}

impl Worker {
    /// Answers the reads, and then commits the rest.
    fn work(&mut self, jobs: Vec<Job>) {
        let (mut drafts, mut senders) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Append(draft, sender) => {
                    drafts.push(draft);
                    senders.push(sender);
                }
                Job::Read(room, after, sender) => match self.read(&room, after) {
                    Ok(page) => drop(sender.send(page)), // Or the client is gone.
                    Err(error) => error!(%error, "the log cannot be read"),
                },
            }
        }
        match self.append_all(drafts) {
            Ok((results, entries)) => {
                entries.iter().for_each(|entry| self.rooms.deliver(entry));
                for (result, sender) in results.into_iter().zip(senders) {
                    let _ = sender.send(result); // Or the client is gone.
                }
            }
            Err(error) => error!(%error, "the log cannot be written"),
        }
    }

    /// Appends all of them, or none, and returns when they are durable: the results, and what
    /// is new.
    ///
    /// One commit for all: waiting for the disk takes longer than all the rest.
    fn append_all(
        &mut self,
        drafts: Vec<Draft>,
    ) -> Result<(Vec<Appended>, Vec<LogEntry>)> {
        let (mut results, mut entries) = (Vec::new(), Vec::new());
        if !drafts.is_empty() {
            let transaction = self.connection.transaction_with_behavior(Immediate)?;
            for draft in drafts {
                results.push(append(&transaction, draft, &mut entries)?);
            }
            transaction.commit()?;
        }
        Ok((results, entries))
    }

    fn read(&self, room: &RoomName, after: Seq) -> Result<Page> {
        let sql = "SELECT coalesce((SELECT last FROM rooms WHERE room = ?1), 0),
                          (SELECT min(seq) FROM chats WHERE room = ?1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (last, first): (Seq, Option<Seq>) =
            statement.query_row([room.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;

        let sql = "SELECT seq, sender, id, content, timestamp FROM chats
                   WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let entries = statement
            .query_map(params![room.as_str(), after, PAGE_SIZE], |row| {
                Ok(LogEntry {
                    room: room.clone(),
                    seq: row.get(0)?,
                    from: parse(row.get(1)?)?,
                    id: row.get::<_, Option<_>>(2)?.map(parse).transpose()?,
                    content: parse(row.get(3)?)?,
                    timestamp: row.get(4)?,
                })
            })?
            .collect::<Result<_>>()?;
        Ok(Page { entries, deleted: first.map_or(last, |first| first - 1), last })
    }
}

/// Appends a chat, and adds it to `entries`, unless its sender has used its id before.
fn append(
    transaction: &Transaction,
    draft: Draft,
    entries: &mut Vec<LogEntry>,
) -> Result<Appended> {
    let Draft { room, from, id, content, timestamp } = draft;
    let id_text = id.as_ref().map(MessageId::as_str);

    // Without an id, nothing is found: no id equals NULL. A chat that is no longer kept
    // cannot be compared.
    let sql = "SELECT ids.seq, ids.room = ?3 AND coalesce(chats.content = ?4, TRUE)
               FROM ids LEFT JOIN chats USING (room, seq)
               WHERE ids.sender = ?1 AND ids.id = ?2";
    let known = transaction
        .prepare_cached(sql)?
        .query_row(
            params![from.as_str(), id_text, room.as_str(), content.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((seq, is_same)) = known {
        return Ok(if is_same { Ok(seq) } else { Err(AppendError::IdInUse) });
    }

    let sql = "INSERT INTO rooms VALUES (?1, 1)
               ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last";
    let seq =
        transaction.prepare_cached(sql)?.query_row([room.as_str()], |row| row.get(0))?;
    let execute = |sql: &str, params: &[&dyn ToSql]| {
        transaction.prepare_cached(sql)?.execute(params)
    };
    execute(
        "INSERT INTO chats VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![room.as_str(), seq, from.as_str(), id_text, content.as_str(), timestamp],
    )?;
    execute(
        "DELETE FROM chats WHERE room = ?1 AND seq <= ?2",
        params![room.as_str(), seq - CHATS_KEPT],
    )?;
    if id.is_some() {
        execute(
            "INSERT INTO ids (sender, id, room, seq) VALUES (?1, ?2, ?3, ?4)",
            params![from.as_str(), id_text, room.as_str(), seq],
        )?;
        execute(
            "DELETE FROM ids WHERE position <= ?1",
            params![transaction.last_insert_rowid() - IDS_KEPT],
        )?;
    }
    entries.push(LogEntry { room, seq, from, id, content, timestamp });
    Ok(Ok(seq))
}

/// Reads what was checked before it was written.
fn parse<T: TryFrom<String, Error = String>>(text: String) -> Result<T> {
    Ok(T::try_from(text).map_err(|reason| FromSqlError::Other(reason.into()))?)
}

#[cfg(test)]
mod tests;
