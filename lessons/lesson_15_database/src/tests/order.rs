//! Commit, then announce, in one order.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use lesson_15_database::{ApiError, Model, User};
use probe::{Check, ONE_MINUTE, serve};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    task::{JoinSet, spawn, spawn_blocking, yield_now},
    time::timeout,
};

use super::{
    NONE, app, app_on, asks,
    database::TempFile,
    event, in_memory, new_user, next_event,
    people::{token, username},
    subscribes, user,
};

fn draft(name: &str) -> <User as Model>::Draft {
    serde_json::from_value(new_user(name)).expect("a good draft")
}

fn create(db: &Connection, name: &str) -> Result<User, ApiError> {
    User::create(db, draft(name), &username("ben"))
}

#[tokio::test]
async fn a_change_is_announced_when_others_can_see_it() {
    let file = TempFile::new("committed");
    let other = Connection::open(&file.0).expect("the same file");
    let (announced, hears) = oneshot::channel();

    let announce = move |_, _: &User| {
        let count = other.query_row("SELECT count(*) FROM users", [], |row| row.get(0));
        announced.send(count.unwrap_or(-1)).expect("the test waits");
    };
    let written = file.open().write(|db| create(db, "Dora"), announce).await;

    assert!(written.is_ok(), "a good user");
    let seen = hears.await.expect("it is announced");
    assert_eq!(seen, 1, "who hears of Dora must find her: commit first, then announce");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_announces_nothing() -> Check {
    let database = in_memory();
    let server = serve(app_on(database.clone()));
    let mut ana = subscribes(&server, "ana").await?;

    // SQLite checks a deferred constraint at the end: each statement works, and COMMIT fails.
    let change = |db: &Connection| {
        db.execute_batch(
            "CREATE TABLE posts (user_id INTEGER
                 REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO posts VALUES (7);",
        )?;
        create(db, "Dora")
    };
    let (announced, hears) = oneshot::channel();
    let announce = move |version, _: &User| {
        let _ = announced.send(version); // Nobody may wait for it any more.
    };
    let result = database.write(change, announce).await;

    assert!(result.is_err(), "there is no user 7");
    assert!(hears.await.is_err(), "nobody announces what has not happened");
    let reply = asks(&server, "ben", "POST /users", new_user("Emil")).await?;
    assert_eq!(reply.version, Some(1), "its number goes to the next change");
    assert_eq!(next_event(&mut ana).await?, event("created", 1, user(1, "Emil")), "Emil");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_announced_in_the_order_in_which_they_were_made() {
    let database = in_memory();
    let announced = Arc::new(Mutex::new(Vec::new()));

    let mut writers = JoinSet::new();
    for number in 0..500 {
        let (database, announced) = (database.clone(), announced.clone());
        writers.spawn(async move {
            let announce = move |version, _: &User| {
                announced.lock().expect("nobody panics").push(version);
            };
            let change = move |db: &_| create(db, &format!("User{number}"));
            database.write(change, announce).await.is_ok()
        });
    }
    let written = writers.join_all().await;

    assert!(written.into_iter().all(|it| it), "good users");
    let announced = announced.lock().expect("nobody panics").clone();
    assert!(
        announced.iter().copied().eq(1..=500),
        "or a subscriber applies an old change over a new one: {announced:?}"
    );
}

/// 1,000 changes over HTTP, in rounds, because a subscriber may be 256 behind.
#[tokio::test(start_paused = true)]
async fn of_eight_parallel_writers_no_change_is_lost_doubled_or_out_of_order() -> Check {
    const WRITERS: usize = 8;
    const CHANGES: usize = 1_000;
    const ROUNDS: usize = 5;

    let server = Arc::new(serve(app()));
    let mut ana = subscribes(&server, "ana").await?;

    let mut received = Vec::new();
    for round in 0..ROUNDS {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let server = server.clone();
            writers.spawn(async move {
                for number in 0..CHANGES / ROUNDS / WRITERS {
                    let new = new_user(&format!("User{round}-{writer}-{number}"));
                    asks(&server, "ben", "POST /users", new).await?;
                }
                Check::Ok(())
            });
        }
        for written in writers.join_all().await {
            written?;
        }
        for _ in 0..CHANGES / ROUNDS {
            received.push(next_event(&mut ana).await?);
        }
    }

    let versions: Vec<_> = received.iter().map(|it| it["version"].as_i64()).collect();
    assert!(
        versions.iter().copied().eq((1..=CHANGES as i64).map(Some)),
        "one after the other: {versions:?}"
    );
    let mut names: Vec<_> =
        received.iter().map(|it| it["data"]["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHANGES, "each of them once");
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// Lets all tasks go on until they wait for something.
async fn all_have_their_turn() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_in_the_middle_of_a_write_costs_nobody_the_event() -> Check
{
    let file = TempFile::new("hang-up");
    let server = serve(app_on(file.open()));
    let mut ana = subscribes(&server, "ana").await?;
    let other = Connection::open(&file.0).expect("the same file");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");

    let body = new_user("Dora").to_string();
    let request = format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        token("ben"),
        body.len()
    );
    let ben = server.opens_a_connection(&request).await?;
    all_have_their_turn().await; // His change waits for the other program.
    drop(ben);
    all_have_their_turn().await; // axum has dropped the handler.
    other.execute_batch("COMMIT").expect("it holds the lock");

    assert_eq!(
        next_event(&mut ana).await?,
        event("created", 1, user(1, "Dora")),
        "what is in the database has been announced"
    );
    let list = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!((list.version, &list.body[0]["name"]), (Some(1), &json!("Dora")), "both");
    Ok(())
}

#[tokio::test]
async fn a_handler_that_is_dropped_does_not_end_the_change_it_asked_for() {
    let database = in_memory();
    let (started, starts) = oneshot::channel();
    let (go_on, wait) = mpsc::channel();
    let (announced, hears) = oneshot::channel();

    let change = move |db: &Connection| {
        started.send(()).expect("the test waits");
        wait.recv().expect("the test says when");
        create(db, "Dora")
    };
    let announce = move |version, _: &User| announced.send(version).expect("it waits");
    let handler = spawn(async move { database.write(change, announce).await });
    starts.await.expect("the work starts");
    handler.abort(); // So does axum when a client hangs up.
    go_on.send(()).expect("the work goes on");

    assert_eq!(hears.await, Ok(1), "it is committed, and announced");
}

/// With two threads for blocking work, of which one stays free.
#[test]
fn who_hangs_up_leaves_neither_threads_nor_changes_behind() {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(2).build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let database = in_memory();
        let (go_on, wait) = mpsc::channel();
        let wait = Arc::new(Mutex::new(wait));

        for number in 0..3 {
            let (database, wait) = (database.clone(), wait.clone());
            let change = move |db: &Connection| {
                wait.lock().expect("nobody panics").recv().expect("the test says when");
                create(db, &format!("User{number}"))
            };
            let handler = spawn(async move { database.write(change, |_, _| ()).await });
            yield_now().await; // It has begun.
            handler.abort();
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
async fn an_event_carries_what_the_answer_says() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;

    let reply = asks(&server, "ben", "POST /users", new_user("Dora")).await?;

    let event: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    let expected = super::event("created", 1, reply.body);
    assert_eq!(event, expected, "the time at which she was created, too");
    Ok(())
}
