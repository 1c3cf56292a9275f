//! A client that comes back: it gets what it missed, in order, and nothing twice.

use std::time::Duration;

use probe::{ANY, Check, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

use super::{
    LogFile, ack, app, chat_with_id, gap, newcomer, numbered, numbers, path, resume,
};

const SECOND: Duration = Duration::from_secs(1);

/// Somebody whom nobody else sees sends so many chats.
async fn fill(server: &Server, count: i64) -> Check {
    let mut cem = server.connect("Cem", &path("rust", "cem")).await?;
    for i in 0..count {
        cem.says(json!({ "type": "chat", "content": i.to_string() }).to_string()).await?;
        if i % 100 == 99 {
            cem.hears_out(SECOND).await;
        }
    }
    cem.hears_out(SECOND).await;
    cem.leaves().await
}

fn welcome(seq: i64) -> Value {
    json!({ "type": "welcome", "log": ANY, "seq": seq })
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_what_it_missed_and_then_what_is_new() -> Check {
    let server = serve(app());
    let (ana, log) = newcomer(&server, "ana").await?;
    ana.leaves().await?;
    fill(&server, 5).await?;

    let mut ana = server.connect("Ana", &resume("ana", 2, &log)).await?;
    ana.hears(welcome(5)).await?;
    for seq in 3..=5 {
        ana.hears(numbered(seq)).await?;
    }
    fill(&server, 1).await?;
    assert_eq!(numbers(&mut ana).await, [6], "and then what is new");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_missed_nothing_gets_nothing() -> Check {
    let server = serve(app());
    let (ana, log) = newcomer(&server, "ana").await?;
    ana.leaves().await?;
    fill(&server, 5).await?;

    let mut ana = server.connect("Ana", &resume("ana", 5, &log)).await?;

    ana.hears(welcome(5)).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_all_that_is_kept_and_no_gap() -> Check {
    let server = serve(app());
    fill(&server, 1_100).await?;

    let (mut ana, _) = newcomer(&server, "ana").await?;

    let expected: Vec<i64> = (101..=1_100).collect();
    assert_eq!(numbers(&mut ana).await, expected, "the newest 1,000, in order");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_too_late_gets_a_gap() -> Check {
    let server = serve(app());
    let (ana, log) = newcomer(&server, "ana").await?;
    ana.leaves().await?;
    fill(&server, 1_100).await?;

    for (seen, gap) in [(0, true), (99, true), (100, false), (101, false)] {
        let mut ana = server.connect("Ana", &resume("ana", seen, &log)).await?;
        let came = numbers(&mut ana).await;
        let first = if gap { -101 } else { seen + 1 };
        assert_eq!(came.first(), Some(&first), "101 is the oldest that is kept");
        let chats: Vec<i64> = came.into_iter().filter(|&seq| seq > 0).collect();
        let expected: Vec<i64> = (101.max(seen + 1)..=1_100).collect();
        assert_eq!(chats, expected, "all that is kept, after {seen}");
        ana.leaves().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_number_that_means_nothing_here_gets_a_gap_and_all_that_is_kept() -> Check {
    let server = serve(app());
    let (ana, log) = newcomer(&server, "ana").await?;
    ana.leaves().await?;
    fill(&server, 3).await?;

    let room = path("rust", "ana");
    let strange = [
        (resume("ana", 2, "another"), "another log"),
        (resume("ana", 0, "another"), "another log, of which nothing was seen"),
        (resume("ana", 4, &log), "a number of the future"),
        (resume("ana", i64::MAX, &log), "the greatest number"),
        (resume("ana", -1, &log), "a negative number"),
        (format!("{room}&resume=2"), "a number of no log"),
    ];
    for (path, what) in strange {
        let mut ana = server.connect("Ana", &path).await?;
        ana.hears(welcome(3)).await?;
        assert_eq!(numbers(&mut ana).await, [-1, 1, 2, 3], "{what}");
        ana.leaves().await?;
    }
    server.rejects("Ana", &format!("{room}&resume=x"), 400).await?;
    server.rejects("Ana", &format!("{room}&resume={}0", i64::MAX), 400).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_number_of_another_room_is_one_of_the_future_or_a_place_in_this_one() -> Check {
    let server = serve(app());
    let (ana, log) = newcomer(&server, "ana").await?;
    ana.leaves().await?;
    fill(&server, 3).await?;

    let path = format!("{}&resume=2&log={log}", path("tea", "ana"));
    let mut ana = server.connect("Ana", &path).await?;

    ana.hears(welcome(0)).await?;
    ana.hears(gap(1)).await?;
    ana.says(chat_with_id("a-1", "hello")).await?;
    ana.hears(json!({
        "type": "chat", "room": "tea", "from": "ana", "content": "hello",
        "timestamp": ANY, "seq": 1, "id": "a-1"
    }))
    .await?;
    ana.hears(ack("a-1", 1)).await
}

#[tokio::test(start_paused = true)]
async fn numbers_go_on_after_a_restart() -> Check {
    let file = LogFile::new("numbers");
    let server = file.serve().await?;
    let (ana, log) = newcomer(&server, "ana").await?;
    drop(ana);
    fill(&server, 3).await?;
    drop(server);

    let server = file.serve().await?;
    let mut ana = server.connect("Ana", &resume("ana", 1, &log)).await?;
    ana.hears(json!({ "type": "welcome", "log": log, "seq": 3 })).await?;
    assert_eq!(numbers(&mut ana).await, [2, 3], "what was said before the restart");
    fill(&server, 1).await?;
    assert_eq!(numbers(&mut ana).await, [4], "and the next number");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_takes_the_place_of_the_old_one() -> Check {
    let server = serve(app());
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    let (mut old, log) = newcomer(&server, "ana").await?;
    ben.hears(json!({ "type": "user_joined", "username": "ana" })).await?;

    let mut new = server.connect("Ana again", &resume("ana", 0, &log)).await?;

    old.is_closed(4009, "you have connected again").await?;
    new.hears(welcome(0)).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.says(r#"{"type":"chat","content":"Welcome back!"}"#).await?;
    new.hears(numbered(1)).await?;
    new.leaves().await?;
    ben.hears(numbered(1)).await?;
    ben.hears(json!({ "type": "user_left", "username": "ana" })).await
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_that_is_dead_does_not_keep_the_name() -> Check {
    let server = serve(app());
    let (mut old, log) = newcomer(&server, "ana").await?;
    old.stops_reading(); // And never says that it has gone.

    for _ in 0..3 {
        let mut new = server.connect("Ana again", &resume("ana", 0, &log)).await?;
        new.hears(welcome(0)).await?;
        let rooms = server.get("/rooms").await?;
        assert_eq!(rooms.body, r#"[{"room":"rust","members":1}]"#, "she is there once");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_resume_takes_nobodys_place() -> Check {
    let server = serve(app());
    let (mut ana, _) = newcomer(&server, "ana").await?;

    let only_a_log = format!("{}&log=x", path("rust", "ana"));
    for path in [path("rust", "ana"), only_a_log] {
        let mut other = server.connect("Another window", &path).await?;
        other.is_closed(4009, "this name is taken").await?;
    }

    ana.hears_nothing_for(ONE_MINUTE).await
}
