//! The log by itself.

use std::{
    fs, process,
    sync::Arc,
    task::{Context, Wake, Waker},
};

use lesson_08_auth::{Content, Username};
use tokio::time::Instant;

use super::*;

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

fn worker() -> Worker {
    let connection = Connection::open(IN_MEMORY).expect("a database in memory");
    prepare(&connection).expect("good tables");
    Worker { connection, rooms: RoomManager::default() }
}

impl Worker {
    fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).expect("good SQL");
    }

    /// Appends them all in one commit. The numbers that were acknowledged; `None` for the
    /// chats of which nothing is known.
    fn appends(&mut self, drafts: Vec<Draft>) -> Vec<Option<Result<Seq, AppendError>>> {
        let (senders, receipts): (Vec<_>, Vec<_>) =
            drafts.iter().map(|_| oneshot::channel()).unzip();
        let jobs = drafts.into_iter().zip(senders);
        self.work(jobs.map(|(draft, sender)| Job::Append(draft, sender)).collect());
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

    worker.run("PRAGMA max_page_count = 20");
    let drafts: Vec<_> =
        (0..100).map(|i| draft(Some(&format!("b-{i}")), &long)).collect();
    let failed = worker.appends(drafts);
    assert!(failed.iter().all(Option::is_none), "none, not the first ones, either");
    assert_eq!(worker.numbers(), [1], "and none of them is there");

    worker.run("PRAGMA max_page_count = 1000000");
    let again = worker.appends(vec![draft(Some("b-0"), &long), draft(None, "hello")]);
    assert_eq!(again, [Some(Ok(2)), Some(Ok(3))], "there is space again");
}

/// As a disk that is full, or gone, when the last byte is written.
#[tokio::test]
async fn what_cannot_be_committed_is_neither_acknowledged_nor_delivered() {
    let mut worker = worker();
    worker.run(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE empty (id INTEGER PRIMARY KEY);
         CREATE TABLE later (id REFERENCES empty DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER fails_at_the_commit AFTER INSERT ON chats
             BEGIN INSERT INTO later VALUES (1); END;",
    );
    let ben = Username::try_from("ben".to_owned()).expect("a good name");
    let mut ben = worker.rooms.join(room(), ben, false).expect("the name is free");

    let failed = worker.appends(vec![draft(Some("a-1"), "hello")]);
    assert_eq!(failed, [None], "it is not durable");
    assert!(ben.outbox.try_recv().is_err(), "and nobody has read it");

    worker.run("DROP TRIGGER fails_at_the_commit");
    let again = worker.appends(vec![draft(Some("a-1"), "hello")]);
    assert_eq!(again, [Some(Ok(1))], "now it is");
    assert!(ben.outbox.try_recv().is_ok(), "and Ben can read it");
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
    assert_eq!((page.deleted, page.last, page.entries.len()), (0, 1, 1), "one of one");
}

#[test]
fn a_page_has_more_than_was_committed_while_the_one_before_was_sent() {
    let mut worker = worker();
    worker.appends((0..500).map(|_| draft(None, "hello")).collect());

    let page = worker.read(&room(), 0).expect("a log that can be read");

    assert_eq!(page.entries.len(), 2 * QUEUE_SIZE, "or a reader would fall behind");
    assert_eq!((page.deleted, page.last), (0, 500), "and there is more");
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
    worker.run("UPDATE ids SET position = 1000000 WHERE id = 'a-2'");

    worker.appends(vec![draft(Some("a-3"), "hello")]);

    let sql = "SELECT group_concat(id) FROM ids";
    let ids: String =
        worker.connection.query_row(sql, [], |row| row.get(0)).expect("good SQL");
    assert_eq!(ids, "a-2,a-3", "the oldest is gone, because there is a newer million");
}

#[test]
fn numbers_are_not_given_twice_when_nothing_is_kept() {
    let mut worker = worker();
    worker.appends(vec![draft(None, "hello"), draft(None, "hello")]);
    worker.run("DELETE FROM chats");

    let page = worker.read(&room(), 0).expect("a log that can be read");
    assert_eq!((page.deleted, page.last), (2, 2), "all of them are gone");
    assert_eq!(worker.appends(vec![draft(None, "hello")]), [Some(Ok(3))], "and not 1");
}

/// The calendar of a clock that was set back. Order is by number.
#[test]
fn a_clock_that_jumps_changes_no_order() {
    let mut worker = worker();
    let at =
        |timestamp: &str| Draft { timestamp: timestamp.into(), ..draft(None, "hello") };

    worker.appends(vec![at("2026-11-21T09:30:00.125Z"), at("1999-01-01T00:00:00.000Z")]);

    let page = worker.read(&room(), 0).expect("a log that can be read");
    let times: Vec<_> = page.entries.iter().map(|entry| &entry.timestamp[..4]).collect();
    assert_eq!(times, ["2026", "1999"], "as they came");
}

#[test]
fn a_database_that_fails_has_no_answers_but_errors() {
    let mut worker = worker();
    worker.run("ALTER TABLE rooms RENAME TO elsewhere");

    let failed = worker.appends(vec![draft(Some("a-1"), "hello")]);
    assert_eq!(failed, [None], "nobody knows what became of it");
    assert!(worker.read(&room(), 0).is_err(), "and there is nothing to read");

    worker.run("ALTER TABLE elsewhere RENAME TO rooms");
    let again = worker.appends(vec![draft(Some("a-1"), "hello")]);
    assert_eq!(again, [Some(Ok(1))], "and then it goes on");
}

/// A bug: whoever waits for this panics the thread that answers.
struct Bug;

impl Wake for Bug {
    fn wake(self: Arc<Self>) {
        panic!("this is what the test is about");
    }
}

#[tokio::test]
async fn a_panic_ends_the_log_rather_than_leave_a_hole() {
    let (jobs, queue) = mpsc::channel(QUEUE_SIZE);
    let task = spawn(work(queue, worker()));
    let log = SqliteLog { id: "test".into(), jobs };
    let (sender, mut page) = oneshot::channel();
    let waker = Waker::from(Arc::new(Bug));
    assert!(
        page.poll_unpin(&mut Context::from_waker(&waker)).is_pending(),
        "no page yet"
    );

    log.jobs.send(Job::Read(room(), 0, sender)).await.expect("there is a worker");
    task.await.expect("it ends, and does not panic");

    let receipt = log.append(draft(Some("a-1"), "hello")).await;
    assert_eq!(receipt.await, Err(AppendError::Unavailable), "and says so at once");
    assert!(log.read(&room(), 0).await.is_err(), "to readers, too");
}

/// Another program on the same file would deliver to its own clients only.
#[tokio::test]
async fn two_programs_cannot_have_one_log() {
    let path = std::env::temp_dir().join(format!("two-{}.db", process::id()));
    let first = SqliteLog::open(&path, RoomManager::default()).expect("a file");

    let second = SqliteLog::open(&path, RoomManager::default()).err();

    assert_eq!(second.as_deref(), Some("database is locked"), "it says why");
    drop(first);
    fs::remove_file(path).expect("it is ours");
}

#[tokio::test]
async fn the_file_of_another_program_is_left_as_it_is() {
    let path = std::env::temp_dir().join(format!("other-{}.db", process::id()));
    let other = Connection::open(&path).expect("a file");
    other.execute_batch("CREATE TABLE users (name TEXT)").expect("good SQL");
    drop(other);
    let before = fs::read(&path).expect("a file");

    let error = SqliteLog::open(&path, RoomManager::default()).err();

    assert_eq!(error.as_deref(), Some("it belongs to another program"), "it says why");
    assert_eq!(fs::read(&path).expect("a file"), before, "not a byte has changed");
    fs::remove_file(path).expect("it is ours");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_gets_a_sentence() {
    let error = SqliteLog::open("/no/such/folder/chat.db", RoomManager::default()).err();

    let sentence = "unable to open database file: /no/such/folder/chat.db";
    assert_eq!(error.as_deref(), Some(sentence), "for whoever has started it");
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
async fn a_file_is_written_in_a_way_that_outlives_a_power_cut() {
    let path = std::env::temp_dir().join(format!("settings-{}.db", process::id()));
    let connection = Connection::open(&path).expect("a file");
    let id = prepare(&connection).expect("good tables");

    let setting = |name: &str| {
        let get = |row: &rusqlite::Row| row.get::<_, rusqlite::types::Value>(0);
        let value = connection.pragma_query_value(None, name, get).expect("a setting");
        format!("{value:?}")
    };
    assert_eq!(
        setting("synchronous"),
        "Integer(2)",
        "FULL: each commit waits for the disk"
    );
    assert_eq!(setting("journal_mode"), r#"Text("wal")"#, "with one write for each");
    drop(connection);

    let connection = Connection::open(&path).expect("the same file");
    let again = prepare(&connection).expect("the same tables");
    assert_eq!(id, again, "the log has the same name after a restart");
    drop(connection);
    fs::remove_file(path).expect("it is ours");
}
