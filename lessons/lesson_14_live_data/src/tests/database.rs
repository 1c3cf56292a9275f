//! The database: files, migrations, and the order of things.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use axum::{Router, response::IntoResponse};
use probe::{Check, serve};
use rusqlite::Connection;
use rusqlite_migration::Migrations;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::yield_now, time::advance};

use super::{app, app_on, asking::asks};
use crate::{
    database::{Database, STEPS, explain},
    models::User,
    records::Record,
    refusal::Refusal,
};

/// A file for a test, which goes away with it.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let file = Self(env::temp_dir().join(format!("{name}-{}.db", process::id())));
        file.remove();
        file
    }

    fn open(&self) -> Database {
        Database::open(&self.0).expect("a file that is ours")
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

fn draft(email: &str) -> <User as Record>::Draft {
    serde_json::from_value(json!({ "name": "Ana", "email": email }))
        .expect("a good draft")
}

async fn adds(database: &Database, email: &str) -> Result<(), Refusal> {
    let draft = draft(email);
    database.write(move |db| User::create(db, draft), |_, _| ()).await?;
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
        let users = list.body["data"].as_array().map(Vec::len);
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
    Migrations::from_slice(&STEPS[..1]).to_latest(&mut old).expect("the first step");
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
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let file = TempFile::new("newer");
    let newer = Connection::open(&file.0).expect("a new file");
    newer.pragma_update(None, "user_version", STEPS.len() as i64 + 1).expect("a number");

    let problem = Database::open(&file.0).err().map(|error| explain(&error));

    let problem = problem.expect("we do not know what the newer steps have done");
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
async fn a_change_is_announced_when_others_can_see_it() {
    let file = TempFile::new("committed");
    let database = file.open();
    let other = Connection::open(&file.0).expect("the same file");

    let seen = Arc::new(Mutex::new(None));
    let note = seen.clone();
    let announce = move |_, _: &User| {
        let count = other.query_row("SELECT count(*) FROM users", [], |row| row.get(0));
        *note.lock().expect("nobody panics") = Some(count.unwrap_or(-1));
    };
    let draft = draft("ana@example.org");
    let written = database.write(move |db| User::create(db, draft), announce).await;

    assert!(written.is_ok(), "a good user");
    let seen = *seen.lock().expect("nobody panics");
    assert_eq!(
        seen,
        Some(1),
        "whoever hears of Ana must find her: commit, then announce"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_announced_in_the_order_in_which_they_were_made() {
    let database = Database::in_memory().expect("memory is always there");
    let announced = Arc::new(Mutex::new(Vec::new()));

    let writers: Vec<_> = (0..500)
        .map(|i| {
            let (database, announced) = (database.clone(), announced.clone());
            let draft = draft(&format!("{i}@example.org"));
            tokio::spawn(async move {
                let note = move |number, _: &User| {
                    announced.lock().expect("nobody panics").push(number);
                };
                database.write(move |db| User::create(db, draft), note).await
            })
        })
        .collect();
    for writer in writers {
        let written = writer.await.expect("nobody panics");
        assert!(written.is_ok(), "a good user");
    }

    let announced = announced.lock().expect("nobody panics").clone();
    let ordered: Vec<i64> = (1..=500).collect();
    assert_eq!(announced, ordered, "a follower would apply an old change over a new one");
}

#[tokio::test]
async fn who_hangs_up_while_writing_costs_nobody_the_event() {
    let database = Database::in_memory().expect("memory is always there");
    let (started, starts) = oneshot::channel();
    let (go_on, wait) = mpsc::channel();
    let (announced, hears) = oneshot::channel();

    let draft = draft("ana@example.org");
    let change = move |db: &Connection| {
        started.send(()).expect("the test waits");
        wait.recv().expect("the test says when");
        User::create(db, draft)
    };
    let announce =
        move |number, _: &User| announced.send(number).expect("the test waits");
    let handler = tokio::spawn(async move { database.write(change, announce).await });
    starts.await.expect("the work starts");
    handler.abort(); // So does axum when a client hangs up.
    go_on.send(()).expect("the work goes on");

    assert_eq!(hears.await, Ok(1), "what is in the database has been announced");
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_turn_is_told_to_try_again() {
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
    let refusal = waiting.await.expect("nobody panics").err();
    go_on.send(()).expect("the slow one goes on");

    let status = refusal.map(|refusal| refusal.into_response().status().as_u16());
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
    let panics = move |db: &Connection| -> Result<User, Refusal> {
        User::create(db, draft)?;
        panic!("a fault of ours")
    };
    let refused = database.write(panics, |_, _| ()).await;
    assert!(refused.is_err(), "it answers that it failed");

    adds(&database, "ana@example.org").await.expect("her address is still free");
}
