//! The log in the database of the server: one commit for all chats that wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt;
use rusqlite::{
    Connection, OptionalExtension, Result, ToSql, Transaction,
    TransactionBehavior::Immediate, params, types::FromSqlError,
};
use tokio::{
    spawn,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::error;

use super::{
    log::{AppendError, Draft, Log, LogEntry, Page, Receipt, Seq, Unavailable},
    message_id::MessageId,
};
use crate::{database::Database, names::RoomName};

/// How many jobs may wait for the disk, and so how many chats one commit can have.
const QUEUE_SIZE: usize = 32;

/// How many chats of a room are kept. Whoever comes back later than that gets a gap.
const CHATS_KEPT: Seq = 1_000;

/// How many ids are kept, in all rooms together. A chat that is sent again after so many
/// others is new.
const IDS_KEPT: i64 = 1_000_000;

/// How much of the database the log may fill, in hundredths. Beyond that, the oldest chats of
/// all rooms are deleted, and the oldest ids.
const MAX_SHARE: i64 = 75;

/// How many of the newest chats and ids, in all rooms together, are never deleted for that. In
/// a small database it is an id for each page, and a chat for each sixteen, or else these alone
/// could fill it.
const NEWEST_CHATS: i64 = 1_000;
const NEWEST_IDS: i64 = 100_000;

/// How many chats and ids are deleted in one step, and how many steps a commit has for it. All
/// others wait meanwhile.
const STEP: i64 = 256;
const STEPS: usize = 8;

/// Enough pages for all that a commit appends. If there are not so many, it has more steps.
const PAGES_OF_A_COMMIT: i64 = 256;

/// How many chats a page has at most. It has twice as many as a commit: while a page is sent,
/// there is one more commit, and whoever must catch up has to be faster than those who write.
/// Not more than that, because a page waits in memory for each client that reads slowly.
const PAGE_SIZE: i64 = 2 * QUEUE_SIZE as i64;

/// How long a client waits for the disk. Then it is told to try again later.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The log in the server's database.
///
/// Why not on a connection of its own? SQLite has one writer at a time, and whoever finds it
/// busy looks again after a pause: in the flood of a room, a change over HTTP might never
/// have its turn. All who wait for the one connection wait in a fair queue.
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

/// Where each entry goes once it is durable.
type OnEntry = Arc<dyn Fn(&LogEntry) + Send + Sync>;

impl SqliteLog {
    /// A log in this database, which calls `on_entry` for one entry after the other.
    pub fn new(
        database: Database,
        on_entry: impl Fn(&LogEntry) + Send + Sync + 'static,
    ) -> Result<Self> {
        let id = database.at_the_start(|connection| {
            connection.query_row("SELECT id FROM chat_log", [], |row| row.get(0))
        })?;
        let (jobs, queue) = mpsc::channel(QUEUE_SIZE);
        spawn(work(queue, database, Arc::new(on_entry)));
        Ok(Self { id, jobs })
    }

    /// Waits until it takes no more chats, which is a bug. It never will again.
    pub async fn ended(&self) {
        self.jobs.closed().await;
    }
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
async fn work(mut queue: mpsc::Receiver<Job>, database: Database, on_entry: OnEntry) {
    loop {
        let mut jobs = Vec::new();
        if queue.recv_many(&mut jobs, QUEUE_SIZE).await == 0 {
            return;
        }
        let (on_entry, refused) = (on_entry.clone(), database.refused_chats.clone());
        let (started, mut has_started) = oneshot::channel();
        let work = move |connection: &mut Connection| {
            let _ = started.send(()); // Whoever wants to know is still there.
            do_jobs(connection, jobs, &on_entry, &refused);
            Ok(())
        };
        if let Err(error) = database.run(work).await {
            error!(?error, "the log has dropped its jobs");
            // Did it panic? A chat that is committed, but was not delivered, would be missing
            // between those before it and those after it. So all get 1013 from now on.
            if has_started.try_recv().is_ok() {
                return error!("the log has ended, and the program with it");
            }
        }
    }
}

/// Answers the reads, and then commits the rest. If that fails, `refused` is how many chats
/// these were, until the log takes chats again.
fn do_jobs(
    connection: &mut Connection,
    jobs: Vec<Job>,
    on_entry: &OnEntry,
    refused: &AtomicI64,
) {
    let (mut drafts, mut senders) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            Job::Append(draft, sender) => {
                drafts.push(draft);
                senders.push(sender);
            }
            Job::Read(room, after, sender) => match read(connection, &room, after) {
                Ok(page) => drop(sender.send(page)), // Or the client is gone.
                Err(error) => error!(%error, "the log cannot be read"),
            },
        }
    }
    match append_all(connection, drafts) {
        Ok((results, entries)) => {
            if !entries.is_empty() {
                refused.store(0, Relaxed); // What the log had already shows nothing.
            }
            entries.iter().for_each(|entry| on_entry(entry));
            for (result, sender) in results.into_iter().zip(senders) {
                let _ = sender.send(result); // Or the client is gone.
            }
        }
        Err(error) => {
            error!(%error, "the log cannot be written");
            refused.store(senders.len() as i64, Relaxed);
        }
    }
}

/// Appends all of them, or none, and returns when they are durable: the results, and what is
/// new.
///
/// One commit for all: waiting for the disk takes longer than all the rest.
fn append_all(
    connection: &mut Connection,
    drafts: Vec<Draft>,
) -> Result<(Vec<Appended>, Vec<LogEntry>)> {
    let (mut results, mut entries) = (Vec::new(), Vec::new());
    if !drafts.is_empty() {
        let transaction = connection.transaction_with_behavior(Immediate)?;
        delete_oldest(&transaction)?;
        for draft in drafts {
            results.push(append(&transaction, draft, &mut entries)?);
        }
        transaction.commit()?;
    }
    Ok((results, entries))
}

/// Makes space by deleting the oldest chats and ids, if the database is too full.
///
/// Why, if each room keeps a limited number? There is no limit for the rooms that there ever
/// were. Without this, one person could fill the database, and nobody could write any more.
fn delete_oldest(transaction: &Transaction) -> Result<()> {
    let pages = number(transaction, "max_page_count")?;
    let (newest_ids, newest_chats) =
        (NEWEST_IDS.min(pages), NEWEST_CHATS.min(pages / 16));
    for step in 0.. {
        let is_urgent = free_pages(transaction)? < PAGES_OF_A_COMMIT;
        if !is_too_full(transaction)? || step >= STEPS && !is_urgent {
            break; // If it is still too full, the next commit goes on.
        }
        let sql = "DELETE FROM chat_ids WHERE position IN
                       (SELECT position FROM chat_ids
                        WHERE position <= (SELECT max(position) - ?1 FROM chat_ids)
                        ORDER BY position LIMIT ?2)";
        let ids = transaction.prepare_cached(sql)?.execute([newest_ids, STEP])?;

        let sql = "DELETE FROM chats WHERE position IN
                       (SELECT position FROM chats
                        WHERE position <= (SELECT max(position) - ?1 FROM chats)
                        ORDER BY position LIMIT ?2)
                   RETURNING room";
        let rooms = transaction
            .prepare_cached(sql)?
            .query_map([newest_chats, STEP], |row| row.get(0))?
            .collect::<Result<Vec<String>>>()?;
        if ids == 0 && rooms.is_empty() {
            break; // It is something else that fills the database.
        }
        for room in rooms {
            forget_if_empty(transaction, &room)?;
        }
    }
    Ok(())
}

fn is_too_full(connection: &Connection) -> Result<bool> {
    let pages = number(connection, "max_page_count")?;
    Ok(pages - free_pages(connection)? > pages / 100 * MAX_SHARE)
}

fn free_pages(connection: &Connection) -> Result<i64> {
    let used = number(connection, "page_count")? - number(connection, "freelist_count")?;
    Ok(number(connection, "max_page_count")? - used)
}

fn number(connection: &Connection, pragma: &str) -> Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Forgets a room of which no chat is left.
fn forget_if_empty(transaction: &Transaction, room: &str) -> Result<()> {
    let sql = "DELETE FROM chat_rooms WHERE room = ?1
               AND NOT EXISTS (SELECT 1 FROM chats WHERE room = ?1) RETURNING last";
    let last: Option<Seq> = transaction
        .prepare_cached(sql)?
        .query_row([room], |row| row.get(0))
        .optional()?;
    if let Some(last) = last {
        let sql = "UPDATE chat_log SET forgotten = max(forgotten, ?1)";
        transaction.prepare_cached(sql)?.execute([last])?;
    }
    Ok(())
}

fn read(connection: &Connection, room: &RoomName, after: Seq) -> Result<Page> {
    let sql = "SELECT coalesce((SELECT last FROM chat_rooms WHERE room = ?1), forgotten),
                      (SELECT min(seq) FROM chats WHERE room = ?1)
               FROM chat_log";
    let mut statement = connection.prepare_cached(sql)?;
    let (last, first): (Seq, Option<Seq>) =
        statement.query_row([room.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;

    let sql = "SELECT seq, sender, id, content, timestamp FROM chats
               WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
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
               FROM chat_ids AS ids LEFT JOIN chats USING (room, seq)
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

    let sql = "INSERT INTO chat_rooms VALUES
                   (?1, (SELECT forgotten + 1 FROM chat_log))
               ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last";
    let seq =
        transaction.prepare_cached(sql)?.query_row([room.as_str()], |row| row.get(0))?;
    let execute = |sql: &str, params: &[&dyn ToSql]| {
        transaction.prepare_cached(sql)?.execute(params)
    };
    execute(
        "INSERT INTO chats VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)",
        params![room.as_str(), seq, from.as_str(), id_text, content.as_str(), timestamp],
    )?;
    execute(
        "DELETE FROM chats WHERE room = ?1 AND seq <= ?2",
        params![room.as_str(), seq - CHATS_KEPT],
    )?;
    if id.is_some() {
        execute(
            "INSERT INTO chat_ids (sender, id, room, seq) VALUES (?1, ?2, ?3, ?4)",
            params![from.as_str(), id_text, room.as_str(), seq],
        )?;
        execute(
            "DELETE FROM chat_ids WHERE position <= ?1",
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
mod tests {
    use std::sync::atomic::AtomicUsize;

    use rusqlite_migration::Migrations;
    use tokio::time::Instant;

    use super::*;
    use crate::{database::MIGRATIONS, names::Username, text::Content};

    fn draft(id: Option<&str>, content: &str) -> Draft {
        Draft {
            room: room(),
            from: Username::try_from("ana".to_owned()).expect("a good name"),
            id: id.map(|id| MessageId::try_from(id.to_owned()).expect("a good id")),
            content: Content::try_from(content.to_owned()).expect("good content"),
            timestamp: "2026-11-21T09:30:00.125Z".into(),
        }
    }

    fn room() -> RoomName {
        RoomName::try_from("rust".to_owned()).expect("a good name")
    }

    /// Does the jobs of a log, one group after the other.
    struct Worker {
        connection: Connection,
        on_entry: OnEntry,
        refused: AtomicI64,
    }

    fn worker() -> Worker {
        let database = Database::in_memory().expect("memory is always there");
        Worker {
            connection: database.into_connection(),
            on_entry: Arc::new(|_| ()),
            refused: AtomicI64::default(),
        }
    }

    impl Worker {
        fn run(&self, sql: &str) {
            self.connection.execute_batch(sql).expect("good SQL");
        }

        fn read(&self, room: &RoomName, after: Seq) -> Result<Page> {
            read(&self.connection, room, after)
        }

        /// Appends them all in one commit. The numbers that were acknowledged; `None` for the
        /// chats of which nothing is known.
        fn appends(&mut self, drafts: Vec<Draft>) -> Vec<Option<Appended>> {
            let (senders, receipts): (Vec<_>, Vec<_>) =
                drafts.iter().map(|_| oneshot::channel()).unzip();
            let jobs = drafts.into_iter().zip(senders);
            let jobs = jobs.map(|(draft, sender)| Job::Append(draft, sender)).collect();
            do_jobs(&mut self.connection, jobs, &self.on_entry, &self.refused);
            receipts.into_iter().map(|mut receipt| receipt.try_recv().ok()).collect()
        }

        /// The numbers that are kept.
        fn numbers(&self) -> Vec<Seq> {
            let mut numbers = Vec::new();
            loop {
                let after = numbers.last().copied().unwrap_or(0);
                let page = self.read(&room(), after).expect("a log that can be read");
                if page.entries.is_empty() {
                    return numbers;
                }
                assert!(page.entries.len() <= 2 * QUEUE_SIZE, "a page is bounded");
                numbers.extend(page.entries.iter().map(|entry| entry.seq));
            }
        }
    }

    #[test]
    fn a_full_disk_acknowledges_nothing_of_the_commit_that_failed() {
        let mut worker = worker();
        let long = "x".repeat(2_000);
        let first = worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(first, [Some(Ok(1))], "there is space for one");

        worker.run("PRAGMA max_page_count = 40");
        let drafts: Vec<_> =
            (0..100).map(|i| draft(Some(&format!("b-{i}")), &long)).collect();
        let failed = worker.appends(drafts);
        assert!(failed.iter().all(Option::is_none), "none, not the first ones, either");
        assert_eq!(worker.refused.load(Relaxed), 100, "so much room was missing");
        worker.appends(Vec::new());
        worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(worker.refused.load(Relaxed), 100, "nothing new was written");
        assert_eq!(worker.numbers(), [1], "and none of them is there");

        worker.run("PRAGMA max_page_count = 1000000");
        let again = worker.appends(vec![draft(Some("b-0"), &long), draft(None, "hello")]);
        assert_eq!(again, [Some(Ok(2)), Some(Ok(3))], "there is space again");
        assert_eq!(worker.refused.load(Relaxed), 0, "so nothing is missing");
    }

    /// As a disk that is full, or gone, when the last byte is written.
    #[test]
    fn what_cannot_be_committed_is_neither_acknowledged_nor_delivered() {
        let delivered = Arc::<AtomicUsize>::default();
        let count = delivered.clone();
        let on_entry: OnEntry = Arc::new(move |_| {
            count.fetch_add(1, Relaxed);
        });
        let mut worker = Worker { on_entry, ..worker() };
        worker.run(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE empty (id INTEGER PRIMARY KEY);
             CREATE TABLE later (id REFERENCES empty DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER fails_at_the_commit AFTER INSERT ON chats
                 BEGIN INSERT INTO later VALUES (1); END;",
        );

        let failed = worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(failed, [None], "it is not durable");
        assert_eq!(delivered.load(Relaxed), 0, "and nobody has read it");

        worker.run("DROP TRIGGER fails_at_the_commit");
        let again = worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(again, [Some(Ok(1))], "now it is");
        assert_eq!(delivered.load(Relaxed), 1, "and can be read");
    }

    #[test]
    fn a_chat_that_comes_twice_in_one_commit_is_there_once() {
        let mut worker = worker();

        let twice = vec![
            draft(Some("a-1"), "hello"),
            draft(Some("a-1"), "hello"),
            draft(Some("a-1"), "good night"),
        ];

        let expected = [Some(Ok(1)), Some(Ok(1)), Some(Err(AppendError::IdInUse))];
        assert_eq!(worker.appends(twice), expected, "the second is the first");
        assert_eq!(worker.numbers(), [1], "and so it is there once");
    }

    #[test]
    fn a_room_keeps_its_newest_chats_and_other_rooms_keep_theirs() {
        let mut worker = worker();
        let other = RoomName::try_from("tea".to_owned()).expect("a good name");
        worker.appends(vec![Draft { room: other.clone(), ..draft(None, "hello") }]);

        for _ in 0..21 {
            worker.appends((0..50).map(|_| draft(None, "hello")).collect());
        }

        let expected: Vec<Seq> = (51..=1_050).collect();
        assert_eq!(worker.numbers(), expected, "1,000 of them");
        let page = worker.read(&other, 0).expect("a log that can be read");
        assert_eq!(
            (page.deleted, page.last, page.entries.len()),
            (0, 1, 1),
            "one of one"
        );
    }

    /// Somebody opens one room after the other, and says much in each.
    #[test]
    fn when_the_database_is_full_the_oldest_chats_of_all_rooms_make_space() {
        let mut worker = worker();
        worker.run("PRAGMA max_page_count = 2000"); // 8 MB.
        let in_room = |name: String, content: &str| Draft {
            room: RoomName::try_from(name).expect("a good name"),
            ..draft(None, content)
        };
        worker.appends(vec![in_room("small".into(), "hello")]);

        let long = "x".repeat(2_000);
        for number in 0..300 {
            let drafts = || in_room(format!("room-{number}"), &long);
            let results =
                worker.appends(std::iter::repeat_with(drafts).take(20).collect());
            let all = results.iter().all(|result| matches!(result, Some(Ok(_))));
            assert!(all, "after {number} rooms there is space for the next");
        }

        let page = |name: &str| {
            let room = RoomName::try_from(name.to_owned()).expect("a good name");
            worker.read(&room, 0).expect("a log that can be read")
        };
        assert_eq!(page("room-299").entries.len(), 20, "the newest are there");
        let Page { entries, deleted, last } = page("room-0");
        assert!(entries.is_empty() && deleted == last, "the oldest are not");
        assert!(last >= 20, "and their numbers count as gone: {last}");
        let count = |table| {
            let sql = format!("SELECT count(*) FROM {table}");
            let count = worker.connection.query_row(&sql, [], |row| row.get(0));
            count.expect("good SQL")
        };
        let (chats, rooms): (i64, i64) = (count("chats"), count("chat_rooms"));
        assert!((1_000..3_000).contains(&chats), "not all of 6,001: {chats}");
        assert!(rooms < 150, "nor all of 301 rooms: {rooms}");

        // Whoever has seen number 20 must not believe that this one is known already.
        let again = worker.appends(vec![in_room("room-0".into(), "hello again")]);
        assert_eq!(again, [Some(Ok(last + 1))], "so a new chat has none of them");
    }

    /// A log with many short chats, in a database that has so many pages left.
    fn much_too_full(pages_left: i64) -> Worker {
        let worker = worker();
        worker.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO chats SELECT NULL, 'room-' || (i / 100), i, 'ana', NULL, 'hi', ''
                 FROM n;
             INSERT INTO chat_rooms SELECT room, max(seq) FROM chats GROUP BY room",
        );
        let pages = number(&worker.connection, "page_count").expect("good SQL");
        worker.run(&format!("PRAGMA max_page_count = {}", pages + pages_left));
        worker
    }

    /// After an update, or when its limit was made smaller. All wait for the one connection.
    #[test]
    fn a_database_that_is_much_too_full_is_emptied_step_by_step() {
        let mut worker = much_too_full(PAGES_OF_A_COMMIT + 100);
        let count = |worker: &Worker| -> i64 {
            let sql = "SELECT count(*) FROM chats";
            worker.connection.query_row(sql, [], |row| row.get(0)).expect("good SQL")
        };

        let mut commits = 0;
        while is_too_full(&worker.connection).expect("good SQL") {
            let before = count(&worker);
            let appended = worker.appends(vec![draft(None, "hello")]);
            assert!(matches!(appended[..], [Some(Ok(_))]), "there is space for it");
            let deleted = before + 1 - count(&worker);
            assert!((1..3_000).contains(&deleted), "some, and not {deleted} at once");
            commits += 1;
        }
        assert!(commits > 1, "it had much more than it may");
    }

    /// Each of these chats needs two pages.
    #[test]
    fn a_database_that_is_completely_full_takes_the_longest_chats_at_once() {
        let mut worker = much_too_full(0);
        let long = "字".repeat(2_000);

        let all = (0..QUEUE_SIZE).map(|_| draft(None, &long)).collect();
        let appended = worker.appends(all);

        let is_stored = |result: &Option<Appended>| matches!(result, Some(Ok(_)));
        assert!(appended.iter().all(is_stored), "there is as much space as they need");
    }

    #[test]
    fn chats_of_an_older_version_are_kept() {
        let migrations = Migrations::from_slice(&MIGRATIONS[..6]);
        let mut connection =
            Connection::open_in_memory().expect("memory is always there");
        migrations.to_latest(&mut connection).expect("they are good");
        let mut worker = Worker { connection, ..worker() };
        worker.run(
            "INSERT INTO chat_rooms VALUES ('rust', 4), ('tea', 1);
             INSERT INTO chats VALUES ('rust', 3, 'ana', NULL, 'later', '2026-11-21');
             INSERT INTO chats VALUES ('rust', 2, 'ana', NULL, 'first', '2026-11-20');
             INSERT INTO chats VALUES ('tea', 1, 'ana', NULL, 'hello', '2026-11-20T12');
             INSERT INTO chats VALUES ('rust', 4, 'ana', NULL, 'set back', '2026-11-19');",
        );

        let migrations = Migrations::from_slice(MIGRATIONS);
        migrations.to_latest(&mut worker.connection).expect("they are good");

        assert_eq!(worker.numbers(), [2, 3, 4], "in their order");
        let sql = "SELECT group_concat(room || seq ORDER BY position) FROM chats";
        let oldest: String =
            worker.connection.query_row(sql, [], |row| row.get(0)).expect("good SQL");
        let reason =
            "the oldest first, but never one of a room before an older one of it";
        assert_eq!(oldest, "rust2,tea1,rust3,rust4", "{reason}");
        assert_eq!(worker.appends(vec![draft(None, "new")]), [Some(Ok(5))], "and go on");
    }

    /// What others have in the database must not take the whole log away.
    #[test]
    fn the_newest_chats_stay_in_a_full_database() {
        let mut worker = worker();
        worker.run("PRAGMA max_page_count = 2000");
        worker.appends(vec![draft(None, "hello"), draft(Some("a-1"), "hello")]);

        worker.run("CREATE TABLE other AS SELECT zeroblob(7000000)");
        let more =
            worker.appends(vec![draft(None, "hello"), draft(Some("a-1"), "hello")]);

        assert_eq!(
            more,
            [Some(Ok(3)), Some(Ok(2))],
            "there is space, and the id is known"
        );
        assert_eq!(worker.numbers(), [1, 2, 3], "all are kept");
    }

    /// Short chats with long ids, of somebody who never stops.
    #[test]
    fn ids_do_not_fill_a_small_database() {
        let mut worker = worker();
        worker.run("PRAGMA max_page_count = 256"); // 1 MiB, the smallest.
        let id = |number: usize| format!("{number:064}");

        for hundred in 0..100 {
            let drafts = (0..100).map(|n| draft(Some(&id(hundred * 100 + n)), "hello"));
            let results = worker.appends(drafts.collect());
            let all = results.iter().all(|result| matches!(result, Some(Ok(_))));
            assert!(all, "after {hundred}00 chats there is space for the next");
        }

        let again = worker.appends(vec![draft(Some(&id(9_900)), "hello")]);
        assert_eq!(again, [Some(Ok(9_901))], "and the newest are known");
    }

    #[test]
    fn an_id_is_known_longer_than_its_chat() {
        let mut worker = worker();
        worker.appends(vec![draft(Some("a-1"), "hello")]);

        worker.appends((0..1_100).map(|_| draft(None, "hello")).collect());

        assert!(!worker.numbers().contains(&1), "the chat is no longer kept");
        let again = worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(again, [Some(Ok(1))], "but it is not new, either");
    }

    #[test]
    fn ids_do_not_grow_without_a_limit() {
        let mut worker = worker();
        worker.appends(vec![draft(Some("a-1"), "hello"), draft(Some("a-2"), "hello")]);
        worker.run("UPDATE chat_ids SET position = 1000000 WHERE id = 'a-2'");

        worker.appends(vec![draft(Some("a-3"), "hello")]);

        let sql = "SELECT group_concat(id) FROM chat_ids";
        let ids: String =
            worker.connection.query_row(sql, [], |row| row.get(0)).expect("good SQL");
        assert_eq!(
            ids, "a-2,a-3",
            "the oldest is gone, because there is a newer million"
        );
    }

    #[test]
    fn numbers_are_not_given_twice_when_nothing_is_kept() {
        let mut worker = worker();
        worker.appends(vec![draft(None, "hello"), draft(None, "hello")]);
        worker.run("DELETE FROM chats");

        let page = worker.read(&room(), 0).expect("a log that can be read");
        assert_eq!((page.deleted, page.last), (2, 2), "all of them are gone");
        assert_eq!(
            worker.appends(vec![draft(None, "hello")]),
            [Some(Ok(3))],
            "and not 1"
        );
    }

    /// The calendar of a clock that was set back. Order is by number.
    #[test]
    fn a_clock_that_jumps_changes_no_order() {
        let mut worker = worker();
        let at = |timestamp: &str| Draft {
            timestamp: timestamp.into(),
            ..draft(None, "hello")
        };

        worker.appends(vec![
            at("2026-11-21T09:30:00.125Z"),
            at("1999-01-01T00:00:00.000Z"),
        ]);

        let page = worker.read(&room(), 0).expect("a log that can be read");
        let times: Vec<_> =
            page.entries.iter().map(|entry| &entry.timestamp[..4]).collect();
        assert_eq!(times, ["2026", "1999"], "as they came");
    }

    #[test]
    fn a_database_that_fails_has_no_answers_but_errors() {
        let mut worker = worker();
        worker.run("ALTER TABLE chat_rooms RENAME TO elsewhere");

        let failed = worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(failed, [None], "nobody knows what became of it");
        assert!(worker.read(&room(), 0).is_err(), "and there is nothing to read");

        worker.run("ALTER TABLE elsewhere RENAME TO chat_rooms");
        let again = worker.appends(vec![draft(Some("a-1"), "hello")]);
        assert_eq!(again, [Some(Ok(1))], "and then it goes on");
    }

    /// On a disk that does not answer, a client is not kept waiting for ever.
    #[tokio::test(start_paused = true)]
    async fn a_disk_that_is_too_slow_is_not_available() {
        let (jobs, _queue) = mpsc::channel(2); // And nobody does the jobs.
        let log = SqliteLog { id: "test".into(), jobs };
        let start = Instant::now();

        for _ in 0..3 {
            let receipt = log.append(draft(Some("a-1"), "hello")).await;
            assert_eq!(receipt.await, Err(AppendError::Unavailable), "it took too long");
        }
        assert!(log.read(&room(), 0).await.is_err(), "nor is there a page");

        assert_eq!(start.elapsed(), 4 * TIMEOUT, "each waited for ten seconds");
    }

    #[tokio::test]
    async fn a_panic_ends_the_log_rather_than_leave_a_hole() {
        let database = Database::in_memory().expect("memory is always there");
        let bug = |_: &LogEntry| panic!("this is what the test is about");
        let log = SqliteLog::new(database, bug).expect("a log");

        let first = log.append(draft(Some("a-1"), "hello")).await.await;
        log.ended().await;
        let again = log.append(draft(Some("a-1"), "hello")).await.await;

        assert_eq!(first, Err(AppendError::Unavailable), "nobody knows");
        assert_eq!(again, Err(AppendError::Unavailable), "and it does not go on");
    }
}
