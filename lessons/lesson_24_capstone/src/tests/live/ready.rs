//! `GET /ready` and the database: whether a change is possible.

use std::{fs, sync::atomic::Ordering::Relaxed, time::Duration};

use probe::{Check, Hint, Server, serve};
use rusqlite::Connection;
use tokio::{sync::oneshot, task::yield_now, time::advance};

use super::{app, app_on, database::TempFile};
use crate::database::Database;

const SECOND: Duration = Duration::from_secs(1);

/// What the answer is while nothing can be changed.
const UNWRITABLE: (u16, &str) = (503, "The database cannot be written to.");

const READY: (u16, &str) = (200, "ready");

async fn expects(server: &Server, answer: (u16, &str), when: &str) -> Check {
    let ready = server.get("/ready").await?;
    assert_eq!((ready.status.as_u16(), &*ready.body), answer, "{when}");
    Ok(())
}

/// How often the disk was asked.
fn checks(file: &TempFile) -> i64 {
    Connection::open(&file.0)
        .and_then(|other| {
            other.query_row("SELECT checks FROM health", [], |row| row.get(0))
        })
        .expect("the same file")
}

async fn makes_read_only(database: &Database, is_read_only: bool) {
    let pragma =
        move |db: &Connection| Ok(db.pragma_update(None, "query_only", is_read_only)?);
    database.read(pragma).await.expect("a good pragma");
}

#[tokio::test(start_paused = true)]
async fn while_all_is_well_the_server_is_ready() -> Check {
    let file = TempFile::new("ready");

    expects(&serve(app_on(file.open())), READY, "with a file").await?;
    expects(&serve(app()), READY, "in memory").await
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_read_only_is_not_ready_until_it_is_writable_again() -> Check {
    let database = Database::in_memory().expect("memory is always there");
    let server = serve(app_on(database.clone()));

    makes_read_only(&database, true).await;
    expects(&server, UNWRITABLE, "it is read only").await?;
    makes_read_only(&database, false).await;
    expects(&server, UNWRITABLE, "it was checked in this second").await?;
    advance(SECOND).await;

    expects(&server, READY, "it is writable again").await
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_database_whose_file_is_gone_is_not_ready() -> Check {
    let file = TempFile::new("gone");
    let server = serve(app_on(file.open()));
    expects(&server, READY, "the file is there").await?;

    std::fs::remove_file(&file.0).expect("a file that is ours");
    advance(SECOND).await;

    let sentence = "The file of the database is gone, or it is another one.";
    expects(&server, (503, sentence), "nobody will read what is written now").await
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_locked_is_not_ready_until_it_is_free_again() -> Check {
    let file = TempFile::new("locked");
    let server = serve(app_on(file.open()));
    let other = Connection::open(&file.0).expect("the same file");

    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    expects(&server, UNWRITABLE, "another program writes").await?;
    other.execute_batch("ROLLBACK").expect("it has begun");
    advance(SECOND).await;

    expects(&server, READY, "it has ended").await
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_busy_for_too_long_is_not_ready() -> Check {
    let database = Database::in_memory().expect("memory is always there");
    let server = serve(app_on(database.clone()));
    let (started, starts) = oneshot::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let slow = tokio::spawn(async move {
        let query = move |_: &Connection| {
            started.send(()).expect("the test waits");
            wait.recv().expect("the test says when");
            Ok(())
        };
        database.read(query).await
    });
    starts.await.expect("the slow one has its turn");

    let answer = tokio::spawn(async move { (server.get("/ready").await, server) });
    until_it_waits().await;
    advance(SECOND).await;
    until_it_waits().await;
    assert!(answer.is_finished(), "whoever asks should not wait for the slow one");
    go_on.send(()).expect("the slow one goes on");

    let (answer, server) = answer.await.expect("nobody panics");
    assert_eq!(answer?.body, UNWRITABLE.1, "it was busy for too long");
    slow.await.expect("nobody panics").expect("a good query");
    advance(SECOND).await;
    expects(&server, READY, "the slow one has ended").await
}

/// Lets the other tasks go on until all of them wait.
async fn until_it_waits() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_disk_is_asked_at_most_once_a_second() -> Check {
    let file = TempFile::new("once");
    let server = serve(app_on(file.open()));

    for _ in 0..100 {
        expects(&server, READY, "as often as one likes").await?;
    }
    assert_eq!(checks(&file), 1, "100 requests in one moment");
    advance(SECOND - Duration::from_millis(1)).await;
    expects(&server, READY, "the second is not over").await?;
    assert_eq!(checks(&file), 1, "the second is not over");
    advance(Duration::from_millis(1)).await;
    expects(&server, READY, "the next second").await?;

    assert_eq!(checks(&file), 2, "the next second");
    Ok(())
}

/// SQLite writes to a file of its own first, and keeps what is rolled back in memory.
#[tokio::test(start_paused = true)]
async fn what_the_log_could_not_write_is_tried_on_the_disk_itself() {
    let file = TempFile::new("tried");
    let database = file.open();
    let written = || {
        let path = format!("{}-wal", file.0.display());
        fs::metadata(path).expect("it is there while the database is open").len()
    };
    let before = written();

    database.check_writable().await.expect("it is writable");
    assert!(
        written() < before + 40_000,
        "this is done every second, and should be little"
    );
    database.refused_chats.store(20, Relaxed);
    advance(SECOND).await;
    database.check_writable().await.expect("it is writable");

    assert!(
        written() > before + 20 * 8_000,
        "the disk should have seen twenty long chats"
    );
    assert_eq!(database.refused_chats.load(Relaxed), 0, "once is enough");
    let left: i64 = Connection::open(&file.0)
        .and_then(|other| {
            let sql = "SELECT length(filler) FROM health";
            other.query_row(sql, [], |row| row.get(0))
        })
        .expect("the same file");
    assert_eq!(left, 0, "and it leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_does_not_make_the_next_one_ask_the_disk() -> Result<(), Hint> {
    let file = TempFile::new("hangs-up");
    let database = file.open();

    for _ in 0..10 {
        let database = database.clone();
        let handler = tokio::spawn(async move { database.check_writable().await });
        yield_now().await; // It has begun.
        handler.abort(); // So does axum when a client hangs up.
        let _ = handler.await; // It was cancelled, or had ended.
    }
    database.check_writable().await.expect("it is writable");

    assert_eq!(checks(&file), 1, "eleven requests in one moment");
    Ok(())
}
