//! The database: files, migrations, and what is answered when it cannot be used.

use std::{env, fs, path::PathBuf, process, sync::mpsc, thread, time::Duration};

use axum::response::IntoResponse;
use lesson_15_database::{ApiError, Database, MIGRATIONS, Model, User};
use probe::{Check, json::pong, serve};
use rusqlite::Connection;
use rusqlite_migration::M;
use serde_json::json;
use tokio::{
    sync::oneshot,
    task::{spawn, yield_now},
    time::advance,
};

use super::{NONE, adds, app_on, asks, in_memory, new_user, subscribes};

/// A file for a test, which goes away with it.
pub struct TempFile(pub PathBuf);

impl TempFile {
    pub fn new(name: &str) -> Self {
        let name = format!("lesson-15-{name}-{}.db", process::id());
        let file = Self(env::temp_dir().join(name));
        file.remove();
        file
    }

    pub fn open(&self) -> Database {
        Database::open(&self.0, MIGRATIONS).expect("a file that is ours")
    }

    fn remove(&self) {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", self.0.display())); // Or it was never there.
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        self.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_outlives_the_program_and_its_version_goes_on() -> Check {
    let file = TempFile::new("outlives");
    let server = serve(app_on(file.open()));
    adds(&server, "Dora").await?;
    adds(&server, "Emil").await?;
    asks(&server, "ben", "DELETE /users/2", NONE).await?;
    drop(server);

    let server = serve(app_on(file.open()));
    let list = asks(&server, "ana", "GET /users", NONE).await?;
    let reply = asks(&server, "ben", "POST /users", new_user("Fay")).await?;

    assert_eq!((list.version, &list.body[0]["name"]), (Some(3), &json!("Dora")), "kept");
    assert_eq!(reply.version, Some(4), "a client that was away can tell what is new");
    assert_eq!(reply.body["id"], 3, "and no id is used again");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn memory_ends_with_the_program() -> Check {
    let server = serve(app_on(in_memory()));
    adds(&server, "Dora").await?;
    drop(server);

    let list = asks(&serve(app_on(in_memory())), "ana", "GET /users", NONE).await?;

    assert_eq!((list.version, list.body), (Some(0), json!([])), "nothing is left");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_is_closed_when_nobody_needs_it_any_more() -> Check {
    let file = TempFile::new("closed");
    let database = file.open();
    let other = database.clone();
    database.write(|_| Ok(()), |_, ()| ()).await.expect("a change");

    drop((database, other));

    let log = format!("{}-wal", file.0.display());
    assert!(!fs::exists(&log).unwrap_or(true), "SQLite tidies up at the end: {log}");
    Ok(())
}

/// A table of a later version of the program.
const NEXT: M = M::up("ALTER TABLE users ADD COLUMN city TEXT NOT NULL DEFAULT 'Bonn'");

fn with_next() -> Vec<M<'static>> {
    MIGRATIONS.iter().cloned().chain([NEXT]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_migration_brings_an_older_file_up_to_date_and_keeps_its_rows() -> Check {
    let file = TempFile::new("migrated");
    let server = serve(app_on(file.open()));
    adds(&server, "Dora").await?;
    drop(server);

    let migrated = Database::open(&file.0, &with_next()).expect("one migration is new");

    let sql = "SELECT name || ' from ' || city FROM users";
    let query = move |db: &Connection| Ok(db.query_row(sql, [], |row| row.get(0))?);
    let (version, dora): (_, String) = migrated.read(query).await.expect("a column");
    assert_eq!((version, dora.as_str()), (1, "Dora from Bonn"), "nothing is lost");
    drop(migrated);
    assert!(Database::open(&file.0, &with_next()).is_ok(), "each migration runs once");
    Ok(())
}

#[test]
fn a_file_that_is_not_ours_is_left_as_it_is_and_gets_a_sentence() {
    let file = TempFile::new("not-ours");
    let reason = || Database::open(&file.0, MIGRATIONS).err();

    fs::write(&file.0, "a shopping list, and no database").expect("a new file");
    assert_eq!(reason().as_deref(), Some("file is not a database"), "it is a text");

    file.remove();
    let other = Connection::open(&file.0).expect("a new file");
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").expect("a table");
    let before = fs::read(&file.0).expect("it is there");
    let sentence = "it belongs to another program";
    assert_eq!(reason().as_deref(), Some(sentence), "it has tables, and not ours");
    assert_eq!(fs::read(&file.0).expect("it is there"), before, "nothing has changed");

    file.remove();
    drop(Database::open(&file.0, &with_next()).expect("a newer program"));
    let sentence = "a newer version of this program has changed it";
    assert_eq!(reason().as_deref(), Some(sentence), "what would we do to its rows?");
}

#[test]
fn a_folder_that_does_not_exist_gets_a_sentence() {
    for path in [env::temp_dir().join("no such folder/users.db"), env::temp_dir()] {
        let reason = Database::open(&path, MIGRATIONS).err();
        let sentence = "it is no file that can be opened, or its folder does not exist";
        assert_eq!(reason.as_deref(), Some(sentence), "{}", path.display());
    }
}

/// Makes the database as full as it is, or takes that back.
async fn runs(database: &Database, pragma: &'static str) {
    let run = move |db: &Connection| Ok(db.execute_batch(pragma)?);
    database.read(run).await.expect("a good pragma");
}

#[tokio::test(start_paused = true)]
async fn while_nothing_can_be_written_one_can_read_and_is_asked_to_try_again() -> Check {
    for (obstacle, way_out) in [
        ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 10000"),
        ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    ] {
        let database = in_memory();
        let server = serve(app_on(database.clone()));
        adds(&server, "Dora").await?;
        let mut ana = subscribes(&server, "ana").await?;

        runs(&database, obstacle).await;
        let mut number = 0;
        let reply = loop {
            // There is some room in the pages that are there already.
            let new = new_user(&format!("{number}{}", "x".repeat(90)));
            let reply = asks(&server, "ben", "POST /users", new).await?;
            if reply.status != 201 || number == 100 {
                break reply;
            }
            ana.hears_any().await?;
            number += 1;
        };

        let sentence = json!({ "message": "Nothing can be changed at the moment." });
        assert_eq!((reply.status, reply.body), (503, sentence), "{obstacle}");
        assert_eq!(reply.retry_after.as_deref(), Some("5"), "{obstacle}");
        let list = asks(&server, "ana", "GET /users", NONE).await?;
        assert_eq!((list.status, list.version), (200, Some(number + 1)), "{obstacle}");
        runs(&database, way_out).await;
        adds(&server, "Emil").await?;
        let event = super::next_event(&mut ana).await?;
        assert_eq!(event["version"], number + 2, "and no number is missing");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_inside_is_not_for_strangers() -> Check {
    let file = TempFile::new("broken");
    let server = serve(app_on(file.open()));
    let other = Connection::open(&file.0).expect("the same file");
    other.execute_batch("DROP TABLE users").expect("nobody else writes");

    for (what, body) in [("GET /users", NONE), ("POST /users", new_user("Dora"))] {
        let reply = asks(&server, "ben", what, body).await?;
        let sentence = json!({ "message": "The server failed." });
        assert_eq!((reply.status, reply.body), (500, sentence), "{what}: no table");
    }
    Ok(())
}

/// A query that is at work until the test says that it may end.
struct SlowQuery {
    go_on: mpsc::Sender<()>,
    query: tokio::task::JoinHandle<Result<(i64, ()), ApiError>>,
}

impl SlowQuery {
    async fn start(database: &Database) -> Self {
        let (started, starts) = oneshot::channel();
        let (go_on, wait) = mpsc::channel();
        let database = database.clone();
        let query = spawn(async move {
            let query = move |_: &Connection| {
                started.send(()).expect("the test waits");
                // With an end, should it hold up the test itself.
                let _ = wait.recv_timeout(Duration::from_secs(3));
                Ok(())
            };
            database.read(query).await
        });
        starts.await.expect("it begins");
        Self { go_on, query }
    }

    async fn ends(self) -> bool {
        self.go_on.send(()).is_ok() && self.query.await.is_ok_and(|it| it.is_ok())
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_query_does_not_hold_up_the_async_threads() -> Check {
    let database = in_memory();
    let server = serve(app_on(database.clone()));
    let mut ana = subscribes(&server, "ana").await?;

    let slow = SlowQuery::start(&database).await;
    ana.says(r#"{"action":"ping"}"#).await?;
    ana.hears(pong()).await?;

    assert!(slow.ends().await, "the query was still at work when the pong came");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_the_database_is_asked_to_try_again() {
    let database = in_memory();
    let slow = SlowQuery::start(&database).await;

    let waiting = spawn(async move { database.read(|db| User::find(db, 1)).await });
    yield_now().await;
    advance(Duration::from_secs(11)).await;
    let error = waiting.await.expect("nobody panics").err();

    let response = error.expect("it had to wait for too long").into_response();
    assert_eq!(response.status(), 503, "a queue that nobody leaves grows without limit");
    assert_eq!(response.headers()["retry-after"], "5", "and when to come back");
    assert!(slow.ends().await, "the slow one gets its answer");
}

#[tokio::test(start_paused = true)]
async fn while_another_program_writes_for_too_long_the_answer_is_503() -> Check {
    let file = TempFile::new("busy");
    let server = serve(app_on(file.open()));
    let other = Connection::open(&file.0).expect("the same file");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");

    // SQLite waits for five seconds of a real clock. They are our only real seconds, so
    // nobody waits for them here: the other program is done before.
    let free = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        other.execute_batch("COMMIT").expect("it holds the lock");
    });
    let reply = asks(&server, "ben", "POST /users", new_user("Dora")).await?;

    free.join().expect("it does not panic");
    assert_eq!(reply.status, 201, "a short time is no error: {}", reply.body);
    let busy = rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
        None,
    );
    let response = ApiError::from(busy).into_response();
    assert_eq!(response.status(), 503, "and a long one is 503");
    assert_eq!(response.headers()["retry-after"], "5", "with a time");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_undoes_the_change_and_the_next_one_works() {
    let database = in_memory();

    let panics = |db: &Connection| -> Result<(), ApiError> {
        db.execute("UPDATE changes SET version = 7", [])?;
        panic!("a fault of ours")
    };
    let rejected = database.write(panics, |_, ()| ()).await;
    assert!(rejected.is_err(), "it answers that it failed");

    let (version, ()) =
        database.write(|_| Ok(()), |_, ()| ()).await.expect("the next one");
    assert_eq!(version, 1, "as if nothing had been before");
}
