//! Where delivery meets the rest of the server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use probe::{
    Check, Client, Hint, ONE_MINUTE, Server,
    conformance::masked,
    json::joined,
    resuming::{ack, chat_with_id, numbered},
    serve, serve_by,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep};

use super::{
    super::{
        app_of, app_with, limits_pages,
        people::{so_many, username},
        state,
    },
    LogFile, RESUMING, path,
    people::{at_least_one, config},
    talkative,
};
use crate::{
    app::AppState,
    config::Config,
    database::Database,
    delivery::{Draft, Log},
    server::{self, Shutdown},
};

const SECOND: Duration = Duration::from_secs(1);

const MOMENT: Duration = Duration::from_millis(1);

const UNAVAILABLE: &str = "the log is not available";

/// The ids that were acknowledged among what came, and their numbers.
fn acknowledged(received: &[String]) -> BTreeMap<String, i64> {
    let messages = received.iter().filter_map(|text| serde_json::from_str(text).ok());
    let acks = messages.filter(|message: &Value| message["type"] == "ack");
    acks.filter_map(|ack| Some((ack["id"].as_str()?.to_owned(), ack["seq"].as_i64()?)))
        .collect()
}

/// A rate, and a queue of a client that was away: what is refused would be sent again.
#[tokio::test(start_paused = true)]
async fn a_queue_that_is_sent_again_is_not_refused_but_waits_for_the_rate() -> Check {
    let server = serve(app_with(config())).ignoring(&["chat"]);
    let (mut ana, _) = RESUMING.newcomer(&server, "ana").await?;
    let start = Instant::now();

    for i in 1..=150 {
        ana.says(chat_with_id(&format!("a-{i}"), "hello")).await?;
    }
    for i in 1..=150 {
        ana.hears(ack(&format!("a-{i}"), i)).await?; // No error, and in their order.
    }

    let took = start.elapsed();
    let rate = 13 * SECOND..14 * SECOND; // 18 at once, then ten a second.
    assert!(rate.contains(&took), "she keeps to the rate, but it took {took:?}");
    ana.hears_nothing_for(SECOND).await
}

/// What waits, waits in her connection alone.
#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_rate_still_receives_and_can_be_replaced() -> Check {
    let second = at_least_one(1);
    let slow = Config {
        messages_per_second: second,
        message_burst: at_least_one(5),
        ..config()
    };
    let server = serve(app_with(slow)).ignoring(&["ack", "user_joined"]);
    let (mut ana, log) = RESUMING.newcomer(&server, "ana").await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    for i in 1..=10 {
        ana.says(chat_with_id(&format!("a-{i}"), "hello")).await?;
    }
    ana.hears_out(SECOND / 2).await;

    ben.hears_out(MOMENT).await;
    ben.says(r#"{"type":"chat","content":"Are you there?"}"#).await?;
    let heard = ana.hears_out(SECOND / 10).await;
    assert!(heard.iter().any(|text| text.contains("there?")), "she hears Ben: {heard:?}");

    let mut again = None;
    for _ in 0..40 {
        sleep(SECOND / 10).await; // What waits leaves room for a connection, now and then.
        if again.is_none() {
            again =
                server.connect("Ana again", &RESUMING.resume("ana", 0, &log)).await.ok();
        }
    }
    let mut again = again.ok_or(Hint::new("Ana should get in, at her rate."))?;
    again.hears_any().await?;
    ana.is_closed_in_the_end(4009, "you have connected again").await
}

/// A program on this file, which stops when it is told to.
fn start(file: &LogFile) -> Result<(Server, Shutdown), Hint> {
    let config = file.config();
    let state = AppState::new(&config, Shutdown::default()).map_err(Hint::new)?;
    let shutdown = state.shutdown.clone();
    let stop = shutdown.clone();
    let app = app_of(state, &config);
    let server = serve_by(async move |listener| {
        server::serve(listener, app, Arc::new(config), stop).await;
    });
    Ok((server, shutdown))
}

/// SIGTERM in the middle of a flood. Each moment comes often.
#[tokio::test(start_paused = true)]
async fn a_flood_that_is_stopped_goes_on_with_the_next_program_and_loses_nothing() -> Check
{
    for sent_before_the_stop in [0, 1, 10, 31, 32, 33, 64, 100, 200] {
        let file = LogFile::new("stopped");
        let (server, shutdown) = start(&file)?;
        let (mut ana, log) = RESUMING.newcomer(&server, "ana").await?;
        let contents: Vec<String> = (0..200).map(|i| format!("hello {i}")).collect();
        for (i, content) in contents.iter().enumerate() {
            if i == sent_before_the_stop {
                shutdown.stop();
            }
            let _ = ana.says(chat_with_id(&format!("a-{i}"), content)).await;
        }
        shutdown.stop();
        let received = ana.hears_out(SECOND).await;
        let before = acknowledged(&received);
        drop((ana, server));
        sleep(SECOND).await;

        let (server, _) = start(&file)?;
        let (mut ben, _) = RESUMING.newcomer(&server, "ben").await?;
        let kept = chats(&ben.hears_out(SECOND).await);
        assert_eq!(kept.len(), before.len(), "in the log is what was acknowledged");
        for (i, content) in contents.iter().enumerate() {
            let Some(seq) = before.get(&format!("a-{i}")) else { continue };
            assert_eq!(kept.get(seq), Some(content), "under the number of its receipt");
        }

        let mut ana = server.connect("Ana", &RESUMING.resume("ana", 0, &log)).await?;
        for (i, content) in contents.iter().enumerate() {
            let id = format!("a-{i}");
            if !before.contains_key(&id) {
                ana.says(chat_with_id(&id, content)).await?;
            }
        }
        let after = acknowledged(&ana.hears_out(SECOND).await);
        assert_eq!(before.len() + after.len(), 200, "each is acknowledged in the end");
        let (mut cem, _) = RESUMING.newcomer(&server, "cem").await?;
        let all: Vec<String> =
            chats(&cem.hears_out(SECOND).await).into_values().collect();
        assert_eq!(all, contents, "once, and in her order");
        drop((ana, ben, cem, server));
        sleep(SECOND).await;
    }
    Ok(())
}

/// The contents of the chats that came, by their numbers.
fn chats(received: &[String]) -> BTreeMap<i64, String> {
    let messages = received.iter().filter_map(|text| serde_json::from_str(text).ok());
    let chats = messages.filter(|message: &Value| message["type"] == "chat");
    chats
        .filter_map(|chat| {
            Some((chat["seq"].as_i64()?, chat["content"].as_str()?.to_owned()))
        })
        .collect()
}

/// A connection that is dead, and that the server has not given up yet.
async fn goes_dead(mut client: Client) -> Client {
    client.stops_reading();
    client
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_replaces_a_dead_one_is_not_one_too_many() -> Check {
    let config = Config { max_connections_per_user: so_many(1), ..config() };
    let server = serve(app_with(config));
    let (ana, log) = RESUMING.newcomer(&server, "ana").await?;
    let mut dead = vec![goes_dead(ana).await];

    for _ in 0..3 {
        let mut again =
            server.connect("Ana again", &RESUMING.resume("ana", 0, &log)).await?;
        again.hears(json!({ "type": "welcome", "log": log, "seq": 0 })).await?;
        let mut other = server.connect("Ana", &path("tea", "ana")).await?;
        other.is_closed(1008, "too many connections of yours").await?;
        dead.push(goes_dead(again).await);
        sleep(2 * SECOND).await; // The dead one had a second to answer its Close.
    }
    Ok(())
}

/// The server has given it up, and waits for the answer to its Close.
#[tokio::test(start_paused = true)]
async fn a_dead_connection_that_is_being_closed_keeps_nobody_out() -> Check {
    let config = Config { max_connections_per_user: so_many(1), ..config() };
    let server = serve(app_with(config));
    let (ana, log) = RESUMING.newcomer(&server, "ana").await?;
    let _dead = goes_dead(ana).await;

    sleep(31 * SECOND).await; // No pong came.
    assert_eq!(server.get("/rooms").await?.body, "[]", "she has left the room");

    let mut again = server.connect("Ana again", &RESUMING.resume("ana", 0, &log)).await?;
    again.hears(json!({ "type": "welcome", "log": log, "seq": 0 })).await?;
    again.hears_nothing_for(SECOND).await
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_resumes_and_replaces_nothing_counts() -> Check {
    let config = Config { max_connections_per_user: so_many(1), ..config() };
    let server = serve(app_with(config));
    let (mut ana, log) = RESUMING.newcomer(&server, "ana").await?;

    let elsewhere = path("tea", "ana");
    let mut other =
        server.connect("Ana", &format!("{elsewhere}&resume=0&log={log}")).await?;

    other.is_closed(1008, "too many connections of yours").await?;
    let rooms = server.get("/rooms").await?;
    assert_eq!(rooms.body, r#"[{"room":"rust","members":1}]"#, "it has joined no room");
    ana.hears_nothing_for(SECOND).await
}

#[tokio::test(start_paused = true)]
async fn without_room_for_a_chat_the_server_is_not_ready_and_acknowledges_nothing()
-> Check {
    let config = talkative();
    let state = state(&config);
    let database = state.database.clone();
    let server = serve(app_of(state, &config)).ignoring(&["chat"]);
    let (mut ana, log) = RESUMING.newcomer(&server, "ana").await?;
    let chat = chat_with_id("a-1", &"x".repeat(2_000));

    limits_pages(&database, 1).await; // It has more already.
    advance(SECOND).await;
    let ready = server.get("/ready").await?;
    assert_eq!(ready.status, 503, "whoever comes could only read: {}", ready.body);
    for i in 0..10 {
        let filler = chat_with_id(&format!("b-{i}"), &"x".repeat(2_000));
        if ana.says(filler).await.is_err() {
            break;
        }
    }
    ana.is_closed_in_the_end(1013, UNAVAILABLE).await?;

    limits_pages(&database, 1_000_000).await;
    advance(SECOND).await;
    assert_eq!(server.get("/ready").await?.status, 200, "there is room again");
    let mut ana = server.connect("Ana", &RESUMING.resume("ana", 0, &log)).await?;
    ana.hears_any().await?;
    ana.says(&chat).await?;
    let answer = ana.hears_any().await?;
    assert!(answer.starts_with(r#"{"type":"ack","id":"a-1""#), "as if new: {answer}");
    Ok(())
}

/// The longest chat fits, but a commit of many does not.
#[tokio::test(start_paused = true)]
async fn a_server_is_not_ready_while_there_is_no_room_for_the_chats_that_the_log_refused()
-> Check {
    let config = talkative();
    let state = state(&config);
    let (database, log) = (state.database.clone(), state.log.clone());
    let server = serve(app_of(state, &config));
    let is_ready = async || -> Result<bool, Hint> {
        advance(SECOND).await; // The disk is asked once a second.
        Ok(server.get("/ready").await?.status == 200)
    };
    // The log has no turn between these, so it commits them together.
    let appends = async |chats: usize| {
        let mut receipts = Vec::new();
        for _ in 0..chats {
            receipts.push(log.append(longest_draft()).await);
        }
        join_all(receipts).await
    };

    leaves_pages(&database, 20).await;
    assert!(is_ready().await?, "there is room for one chat");
    let refused = appends(20).await;
    assert!(refused.iter().all(Result::is_err), "there is none for twenty: {refused:?}");
    assert!(!is_ready().await?, "whoever comes would be closed with 1013, as they were");
    assert!(!is_ready().await?, "nobody writes, and it is as before");

    leaves_pages(&database, 1_000).await;
    assert!(
        is_ready().await?,
        "there is room again, and nobody has to write to find out"
    );
    leaves_pages(&database, 20).await;
    assert!(is_ready().await?, "that is over");

    assert!(appends(20).await.iter().all(Result::is_err), "there is no room again");
    assert!(!is_ready().await?, "and again it is not ready");
    assert!(appends(1).await[0].is_ok(), "one that fits");
    assert!(is_ready().await?, "the log has taken its last chat");
    Ok(())
}

fn longest_draft() -> Draft {
    Draft {
        room: "rust".to_owned().try_into().expect("a good name"),
        from: username("ana"),
        id: None,
        content: "𝄞".repeat(2_000).try_into().expect("good content"),
        timestamp: "2026-11-21T09:30:00.125Z".into(),
    }
}

/// Lets the database grow by so many pages.
async fn leaves_pages(database: &Database, pages: i64) {
    let vacuum = |db: &mut Connection| {
        db.execute_batch("VACUUM")?; // No page that it has already is free.
        Ok(db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?)
    };
    let used = database.run(vacuum).await.expect("good SQL");
    limits_pages(database, used + pages).await;
}

/// Whoever leaves is gone when all have received what it said.
#[tokio::test(start_paused = true)]
async fn a_leave_comes_after_the_last_chat() -> Check {
    for _ in 0..10 {
        let server = serve(super::app()).ignoring_fields(&["id"]);
        let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        ben.hears(joined("ana")).await?;

        let chats = (0..20).map(|i| chat_with_id(&format!("a-{i}"), "good night"));
        let mut bytes: Vec<u8> =
            chats.flat_map(|chat| masked(0x81, chat.as_bytes())).collect();
        bytes.extend(masked(0x88, &1000_u16.to_be_bytes()));
        ana.writes_raw(&bytes).await?; // She is gone as soon as she has spoken.

        for seq in 1..=20 {
            ben.hears(numbered(seq)).await?;
        }
        ben.hears(json!({ "type": "user_left", "username": "ana" })).await?;
    }
    Ok(())
}

#[tokio::test]
async fn two_servers_cannot_have_one_file() {
    let file = LogFile::new("two");
    let config = file.config();
    let first = AppState::new(&config, Shutdown::default()).expect("a new file");

    let second = AppState::new(&config, Shutdown::default()).err().unwrap_or_default();

    assert!(second.ends_with("cannot be used: another server uses it."), "{second}");
    let other = Connection::open(&file.0.0).expect("whoever looks is no server");
    let count: i64 = other
        .query_row("SELECT count(*) FROM chats", [], |row| row.get(0))
        .expect("one can look at the data");
    assert_eq!(count, 0, "nobody has said anything");
    drop(first);
}

/// The live data and the chat have one connection, and neither keeps the other waiting.
#[tokio::test(start_paused = true)]
async fn a_flood_in_a_room_keeps_no_request_waiting() -> Check {
    let server = serve(super::app()).ignoring(&["chat", "ack"]);
    let (mut ana, _) = RESUMING.newcomer(&server, "ana").await?;
    let (token, mut statuses) = (super::people::token("ben"), Vec::new());

    for i in 0..300 {
        ana.says(chat_with_id(&format!("a-{i}"), "hello")).await?;
        if i % 30 == 0 {
            let request = axum::http::Request::get("/api/v1/users")
                .header("authorization", format!("Bearer {token}"))
                .body(String::new())
                .map_err(|error| Hint::new(error.to_string()))?;
            statuses.push(server.request(request).await?.status.as_u16());
        }
    }

    assert_eq!(statuses, [200; 10], "each has its turn");
    ana.hears_nothing_for(ONE_MINUTE / 2).await
}
