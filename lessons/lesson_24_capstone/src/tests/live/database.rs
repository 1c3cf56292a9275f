//! The database: files, migrations, and the order of things.

use std::{
    env, fs,
    io::{self, Write},
    path::PathBuf,
    process,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use axum::{Router, response::IntoResponse};
use humantime::parse_rfc3339;
use probe::{Check, serve};
use rusqlite::Connection;
use rusqlite_migration::Migrations;
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    task::{spawn_blocking, yield_now},
    time::{advance, timeout},
};
use tracing::subscriber::with_default;

use super::{super::limits_pages, app, app_on, asking::asks};
use crate::{
    config::Config,
    database::{Database, MIGRATIONS, explain},
    error::ApiError,
    live::{Model, User, UserDraft},
    tests::{
        app_with,
        people::{at_least_one, config, user},
    },
};

/// A file for a test, which goes away with it.
pub struct TempFile(pub PathBuf);

impl TempFile {
    pub fn new(name: &str) -> Self {
        let file = Self(env::temp_dir().join(format!("{name}-{}.db", process::id())));
        file.remove();
        file
    }

    pub fn open(&self) -> Database {
        Database::open(&self.0).expect("a file that is ours")
    }

    fn remove(&self) {
        for end in ["", "-wal", "-shm", "-lock"] {
            let _ = fs::remove_file(format!("{}{end}", self.0.display())); // Or it was never there.
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        self.remove();
    }
}

fn draft(email: &str) -> UserDraft {
    serde_json::from_value(json!({ "name": "Ana", "email": email }))
        .expect("a good draft")
}

async fn adds(database: &Database, email: &str) -> Result<(), ApiError> {
    let draft = draft(email);
    database.write(move |db| User::create(db, draft, &user("ana")), |_, _| ()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_outlives_the_program_and_memory_does_not() -> Check {
    let file = TempFile::new("outlives");
    let user = json!({ "name": "Ana", "email": "ana@example.org" });

    let on_file = || app_on(file.open());
    for (app, left) in [(&on_file as &dyn Fn() -> Router, 1), (&app, 0)] {
        let server = serve(app());
        asks(&server, "ana", "POST /users", user.clone()).await?;
        drop(server);
        let list = asks(&serve(app()), "ana", "GET /users", Value::Null).await?;
        let users = list.body.as_array().map(Vec::len);
        assert_eq!(users, Some(left), "{}", list.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_file_is_closed_when_nobody_needs_it_any_more() {
    let file = TempFile::new("closed");
    let database = file.open();
    adds(&database, "ana@example.org").await.expect("a new user");

    drop(database);

    let log = format!("{}-wal", file.0.display());
    assert!(
        !fs::exists(&log).unwrap_or(true),
        "SQLite tidies up when it is closed: {log}"
    );
}

#[tokio::test]
async fn migrations_bring_an_old_file_up_to_date() {
    let file = TempFile::new("migrated");
    let mut old = Connection::open(&file.0).expect("a new file");
    Migrations::from_slice(&MIGRATIONS[..1])
        .to_latest(&mut old)
        .expect("the first migration");
    old.execute("INSERT INTO users (name, email) VALUES ('Ana', 'a@b.c')", [])
        .expect("users are there already");
    drop(old);

    let (_, users) = file
        .open()
        .read(|db| {
            db.execute(
                "INSERT INTO posts (user_id, title, body) VALUES (1, 'Tea', '')",
                [],
            )?;
            User::list(db, 0, 10)
        })
        .await
        .expect("posts are there, too");

    assert_eq!(users[0].name, "Ana", "and what was there has stayed");
    assert!(users[0].is_active, "nobody has said that she is not");
    let created_at = &users[0].created_at;
    assert!(parse_rfc3339(created_at).is_ok(), "a time, as all have it: {created_at}");
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let file = TempFile::new("newer");
    let newer = Connection::open(&file.0).expect("a new file");
    newer
        .pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1)
        .expect("a number");

    let problem = Database::open(&file.0).err().map(|error| explain(&error));

    let problem = problem.expect("we do not know what the newer migrations have done");
    assert_eq!(problem, "a newer version of this program has been at it", "a sentence");
}

#[test]
fn a_file_that_is_no_database_gets_a_sentence() {
    let file = TempFile::new("text");
    fs::write(&file.0, "a shopping list, and no database").expect("a new file");

    let problem = Database::open(&file.0).err().map(|error| explain(&error));

    assert_eq!(problem.as_deref(), Some("file is not a database"), "and nothing more");
}

#[tokio::test]
async fn a_change_is_published_when_others_can_see_it() {
    let file = TempFile::new("committed");
    let database = file.open();
    let other = Connection::open(&file.0).expect("the same file");

    let seen = Arc::new(Mutex::new(None));
    let note = seen.clone();
    let publish = move |_, _: &User| {
        let count = other.query_row("SELECT count(*) FROM users", [], |row| row.get(0));
        *note.lock().expect("nobody panics") = Some(count.unwrap_or(-1));
    };
    let draft = draft("ana@example.org");
    let written =
        database.write(move |db| User::create(db, draft, &user("ana")), publish).await;

    assert!(written.is_ok(), "a good user");
    let seen = *seen.lock().expect("nobody panics");
    assert_eq!(seen, Some(1), "whoever hears of Ana must find her: commit, then publish");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_published_in_the_order_in_which_they_were_made() {
    let database = Database::in_memory().expect("memory is always there");
    let published = Arc::new(Mutex::new(Vec::new()));

    let writers: Vec<_> = (0..500)
        .map(|i| {
            let (database, published) = (database.clone(), published.clone());
            let draft = draft(&format!("{i}@example.org"));
            tokio::spawn(async move {
                let note = move |version, _: &User| {
                    published.lock().expect("nobody panics").push(version);
                };
                database
                    .write(move |db| User::create(db, draft, &user("ana")), note)
                    .await
            })
        })
        .collect();
    for writer in writers {
        let written = writer.await.expect("nobody panics");
        assert!(written.is_ok(), "a good user");
    }

    let published = published.lock().expect("nobody panics").clone();
    let ordered: Vec<i64> = (1..=500).collect();
    assert_eq!(
        published, ordered,
        "a subscriber would apply an old change over a new one"
    );
}

#[tokio::test]
async fn who_hangs_up_while_writing_costs_nobody_the_event() {
    let database = Database::in_memory().expect("memory is always there");
    let (started, starts) = oneshot::channel();
    let (go_on, wait) = mpsc::channel();
    let (published, hears) = oneshot::channel();

    let draft = draft("ana@example.org");
    let change = move |db: &Connection| {
        started.send(()).expect("the test waits");
        wait.recv().expect("the test says when");
        User::create(db, draft, &user("ana"))
    };
    let publish =
        move |version, _: &User| published.send(version).expect("the test waits");
    let handler = tokio::spawn(async move { database.write(change, publish).await });
    starts.await.expect("the work starts");
    handler.abort(); // So does axum when a client hangs up.
    go_on.send(()).expect("the work goes on");

    assert_eq!(hears.await, Ok(1), "what is in the database has been published");
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_turn_is_asked_to_try_again() {
    let database = Database::in_memory().expect("memory is always there");
    let (started, starts) = oneshot::channel();
    let (go_on, wait) = mpsc::channel();
    let slow = database.clone();
    let slow = tokio::spawn(async move {
        let look = move |_: &Connection| {
            started.send(()).expect("the test waits");
            wait.recv().expect("the test says when");
            Ok(())
        };
        slow.read(look).await
    });
    starts.await.expect("the slow one has its turn");

    let waiting = tokio::spawn(async move { database.read(|_| Ok(())).await });
    yield_now().await;
    advance(Duration::from_secs(11)).await;
    let error = waiting.await.expect("nobody panics").err();
    go_on.send(()).expect("the slow one goes on");

    let status = error.map(|error| error.into_response().status().as_u16());
    assert_eq!(
        status,
        Some(503),
        "a queue that nobody leaves would grow without a limit"
    );
    assert!(slow.await.is_ok_and(|it| it.is_ok()), "and the slow one gets its answer");
}

#[tokio::test]
async fn a_panic_undoes_the_change_and_the_next_one_works() {
    let database = Database::in_memory().expect("memory is always there");

    let draft = draft("ana@example.org");
    let panics = move |db: &Connection| -> Result<User, ApiError> {
        User::create(db, draft, &user("ana"))?;
        panic!("a fault of ours")
    };
    let refused = database.write(panics, |_, _| ()).await;
    assert!(refused.is_err(), "it answers that it failed");

    adds(&database, "ana@example.org").await.expect("her address is still free");
}

#[test]
fn who_hangs_up_adds_neither_threads_nor_transactions() {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(2).build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let database = Database::in_memory().expect("memory is always there");
        let (go_on, wait) = mpsc::channel();
        let wait = Arc::new(Mutex::new(wait));

        for number in 0..3 {
            let (database, wait) = (database.clone(), wait.clone());
            let change = move |db: &Connection| {
                wait.lock().expect("nobody panics").recv().expect("the test says when");
                User::create(db, draft(&format!("{number}@example.org")), &user("ana"))
            };
            let handler =
                tokio::spawn(async move { database.write(change, |_, _| ()).await });
            yield_now().await; // It has begun.
            handler.abort(); // So does axum when a client hangs up.
            let _ = handler.await; // It was cancelled.
        }
        let free = timeout(Duration::from_secs(10), spawn_blocking(|| ())).await;
        for _ in 0..3 {
            go_on.send(()).expect("the first one goes on");
        }

        assert!(free.is_ok(), "one of the two threads has nothing to do");
        let list = database.read(|db| User::list(db, 0, 10)).await;
        let (version, users) = list.expect("a good query");
        assert_eq!((version, users.len()), (1, 1), "the others had not had their turn");
    });
}

#[tokio::test(start_paused = true)]
async fn the_database_grows_no_larger_than_the_configuration_says() -> Check {
    let config = Config {
        max_database_size: at_least_one(1),
        changes_per_second: at_least_one(10_000),
        change_burst: at_least_one(10_000),
        ..config()
    };
    let server = serve(app_with(config));
    let user = json!({ "name": "Ana", "email": "ana@example.org" });
    asks(&server, "ana", "POST /users", user).await?;

    let post = json!({ "user_id": 1, "title": "Tea", "body": "x".repeat(2_000) });
    let (mut posts, mut status) = (0, 201);
    while status == 201 && posts < 1_000 {
        status = asks(&server, "ana", "POST /posts", post.clone()).await?.status;
        posts += 1;
    }

    assert_eq!(status, 503, "the next one does not fit");
    assert!((250..520).contains(&posts), "1 MiB has room for {posts} of 2 KB");
    let reply = asks(&server, "ana", "DELETE /posts/1", Value::Null).await?;
    assert_eq!(reply.status, 204, "one can still delete");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_is_full_one_can_read() -> Check {
    let database = Database::in_memory().expect("memory is always there");
    let server = serve(app_on(database.clone()));
    let user = json!({ "name": "Ana", "email": "ana@example.org" });
    asks(&server, "ana", "POST /users", user).await?;
    let post = json!({ "user_id": 1, "title": "Tea", "body": "x".repeat(2_000) });

    limits_pages(&database, 1).await; // It has more already.
    let mut refusal = asks(&server, "ana", "POST /posts", post.clone()).await?;
    for _ in 0..10 {
        refusal = asks(&server, "ana", "POST /posts", post.clone()).await?;
    }

    let sentence = json!({
        "message": "The database has no room for this. Try again in 5 s."
    });
    assert_eq!((refusal.status, refusal.body), (503, sentence), "it is our disk");
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    assert_eq!(list.status, 200, "one can still read: {}", list.body);
    limits_pages(&database, 10_000).await;
    let reply = asks(&server, "ana", "POST /posts", post).await?;
    assert_eq!(reply.status, 201, "there is room again: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_see_errors_of_the_database() -> Check {
    let file = TempFile::new("broken");
    let server = serve(app_on(file.open()));
    let other = Connection::open(&file.0).expect("the same file");
    other.execute_batch("DROP TABLE posts").expect("nobody else writes");

    for (what, body) in [
        ("GET /posts", Value::Null),
        ("POST /posts", json!({ "user_id": 1, "title": "Tea", "body": "" })),
    ] {
        let reply = asks(&server, "ana", what, body).await?;
        let sentence = json!({ "message": "The server failed." });
        assert_eq!((reply.status, reply.body), (500, sentence), "{what}: no table");
    }
    Ok(())
}

#[test]
fn errors_of_the_database_are_in_the_log() {
    for (sql, reason) in [
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("PRAGMA query_only = 1; CREATE TABLE here (id)", "readonly database"),
    ] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Log(log.clone());
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();

        let db = Connection::open_in_memory().expect("memory is always there");
        let error = db.execute_batch(sql).expect_err("this does not work");
        let error = with_default(subscriber, || ApiError::from(error));

        let log =
            String::from_utf8_lossy(&log.lock().expect("nobody panics")).into_owned();
        assert!(log.contains(reason), "who runs the server must see why: {log:?}");
        let shown = format!("{error:?}");
        assert!(!shown.contains(reason), "and nobody else: {shown}");
    }
}

/// A log that a test can read.
#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
