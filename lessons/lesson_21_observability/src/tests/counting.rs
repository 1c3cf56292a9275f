//! Each metric counts what its name says.

use std::{collections::BTreeSet, time::Duration};

use axum::http::Request;
use lesson_08_auth::{Disconnect, OUTBOX_SIZE, RoomManager, RoomName};
use probe::{
    Check, Client, Hint, ONE_MINUTE, Server, conformance::masked, json::chat_of, serve,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    app_with,
    people::{path, username},
    sample,
};
use crate::{connection::Connection, metrics::Metrics};

const SECOND: Duration = Duration::from_secs(1);

fn server() -> (Server, Metrics) {
    let metrics = Metrics::new();
    (serve(app_with(metrics.clone())), metrics)
}

/// Ana and Ben in one room. All announcements were received.
async fn ana_and_ben(server: &Server) -> Result<(Client, Client), Hint> {
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    Ok((ana, ben))
}

/// The names of all samples, with their labels.
fn series(metrics: &Metrics) -> BTreeSet<String> {
    metrics.samples().into_keys().collect()
}

/// A sample that is there now, and was not before.
fn appeared(metrics: &Metrics, before: &BTreeSet<String>) -> Option<String> {
    series(metrics).into_iter().find(|name| !before.contains(name))
}

/// Waits until a sample has this value. What a client does arrives a moment later.
async fn becomes(metrics: &Metrics, name: &str, expected: f64) -> Check {
    let start = Instant::now();
    while sample(metrics, name) != expected {
        if start.elapsed() > ONE_MINUTE {
            let value = sample(metrics, name);
            return Err(Hint::new(format!(
                "{name} should be {expected}, but is {value}."
            )));
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_while_it_is_open() -> Check {
    let (server, metrics) = server();

    let (ana, ben) = ana_and_ben(&server).await?;
    becomes(&metrics, "chat_connections", 2.0).await?;
    ana.leaves().await?;
    becomes(&metrics, "chat_connections", 1.0).await?;
    ben.vanishes().await;
    becomes(&metrics, "chat_connections", 0.0).await
}

#[tokio::test(start_paused = true)]
async fn handshakes_are_counted_by_their_outcome() -> Check {
    let (server, metrics) = server();
    let before = series(&metrics);

    let _ana = server.connect("Ana", &path("rust", "ana")).await?;
    for _ in 0..2 {
        server.rejects("Eve", "/ws/chat/rust", 401).await?;
    }
    let foreign = [("origin", "https://example.com")];
    for _ in 0..3 {
        server.rejects_with("Eve", &path("rust", "ana"), &foreign, 403).await?;
    }
    for _ in 0..4 {
        server.rejects("Ana", &path("no%20spaces", "ana"), 400).await?;
    }
    server.get("/rooms").await?;
    server.get("/me").await?;

    for (outcome, expected) in [
        ("accepted", 1.0),
        ("unauthenticated", 2.0),
        ("forbidden", 3.0),
        ("invalid", 4.0),
    ] {
        let name = format!("chat_handshake_seconds_count{{outcome={outcome:?}}}");
        assert_eq!(sample(&metrics, &name), expected, "handshakes that were {outcome}");
    }
    assert_eq!(appeared(&metrics, &before), None, "all were there at zero");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn attempts_to_sign_in_are_counted_by_their_outcome() -> Check {
    let (server, metrics) = server();
    let before = series(&metrics);
    let sign_in = async |body: &str| {
        let request = Request::post("/login").header("content-type", "application/json");
        let request = request.body(body.to_owned()).expect("a request");
        Ok::<_, Hint>(server.request(request).await?.status.as_u16())
    };

    let right = r#"{"username":"ana","password":"ana-likes-tea"}"#;
    assert_eq!(sign_in(right).await?, 200, "Ana signs in");
    for number in 1..=8 {
        let expected = if number <= 5 { 401 } else { 429 };
        let wrong = r#"{"username":"ben","password":"perhaps"}"#;
        assert_eq!(sign_in(wrong).await?, expected, "somebody guesses: {number}");
    }
    for _ in 0..2 {
        assert_eq!(sign_in("{}").await?, 422, "nobody's name and no password");
    }
    assert_eq!(server.get("/me").await?.status, 401, "this is no attempt to sign in");

    for (outcome, expected) in [
        ("accepted", 1.0),
        ("unauthenticated", 5.0),
        ("too_many", 3.0),
        ("invalid", 2.0),
        ("forbidden", 0.0),
    ] {
        let name = format!("chat_sign_ins_total{{outcome={outcome:?}}}");
        assert_eq!(sample(&metrics, &name), expected, "attempts that were {outcome}");
    }
    assert_eq!(appeared(&metrics, &before), None, "all were there at zero");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_the_name_taken_has_not_joined() -> Check {
    let (server, metrics) = server();
    let _people = ana_and_ben(&server).await?;

    let mut again = server.connect("Ana again", &path("rust", "ana")).await?;
    again.is_closed(4009, "this name is taken").await?;

    becomes(&metrics, r#"chat_disconnects_total{cause="name_taken"}"#, 1.0).await?;
    assert_eq!(sample(&metrics, "chat_joins_total"), 2.0, "Ana and Ben have joined");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_are_counted_by_their_kind() -> Check {
    let (server, metrics) = server();
    let before = series(&metrics);
    let (mut ana, _ben) = ana_and_ben(&server).await?;

    ana.says(chat_of("hello")).await?;
    for _ in 0..2 {
        ana.says(r#"{"type":"ping"}"#).await?;
    }
    for _ in 0..2 {
        ana.says("hello").await?;
    }
    ana.sends_binary(b"hello").await?;
    for _ in 0..4 {
        ana.pings(b"").await?;
    }

    for (kind, expected) in
        [("chat", 1.0), ("ping", 2.0), ("invalid", 3.0), ("control", 4.0)]
    {
        becomes(&metrics, &format!("chat_messages_total{{kind={kind:?}}}"), expected)
            .await?;
    }
    assert_eq!(appeared(&metrics, &before), None, "all were there at zero");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_chat_is_one_broadcast_and_a_delivery_for_each_member() -> Check {
    let (server, metrics) = server();
    let (mut ana, mut ben) = ana_and_ben(&server).await?;
    let before = sample(&metrics, "chat_deliveries_total");
    assert_eq!(before, 1.0, "Ana has received that Ben has joined");

    for _ in 0..10 {
        ana.says(chat_of("hello")).await?;
        ana.hears_any().await?;
        ben.hears_any().await?;
    }
    ben.says(r#"{"type":"ping"}"#).await?;
    ben.hears(json!({ "type": "pong" })).await?;

    becomes(&metrics, "chat_deliveries_total", before + 10.0 * 2.0 + 1.0).await?;
    let broadcasts = sample(&metrics, "chat_broadcast_seconds_count");
    assert_eq!(broadcasts, 10.0, "a pong is for one client");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn ends_are_counted_by_their_cause() -> Check {
    let (server, metrics) = server();
    let before = series(&metrics);
    let member = async |name| server.connect(name, &path("rust", name)).await;

    member("ana").await?.leaves().await?;
    member("ana").await?.leaves_with(4321, "bye").await?;
    member("ana").await?.vanishes().await;
    let mut ana = member("ana").await?;
    ana.writes_raw(&masked(0x83, b"")).await?; // There is no such opcode.
    ana.is_closed(1002, "protocol error").await?;
    let mut ana = member("ana").await?;
    sleep(15 * ONE_MINUTE).await;
    ana.is_closed(4001, "token expired").await?;
    let (room, ana) = (RoomName::try_from("rust".to_owned()), username("ana"));
    let room = room.expect("a good name");
    Connection::new(&metrics, &room, &ana).ends(&Disconnect::ByUs(1001, "going away"));
    drop(Connection::new(&metrics, &room, &ana)); // As after a panic.

    for (cause, expected) in [
        ("client", 2.0),
        ("lost", 1.0),
        ("violation", 1.0),
        ("token_expired", 1.0),
        ("other", 1.0),
        ("panic", 1.0),
        ("too_slow", 0.0),
        ("name_taken", 0.0),
    ] {
        becomes(
            &metrics,
            &format!("chat_disconnects_total{{cause={cause:?}}}"),
            expected,
        )
        .await?;
    }
    assert_eq!(appeared(&metrics, &before), None, "all were there at zero");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_slow_client_is_seen_in_its_outbox_and_its_writes() -> Check {
    let (server, metrics) = server();
    let (mut ana, mut ben) = ana_and_ben(&server).await?;
    let long = chat_of("x".repeat(1_000));
    let above = |name: &str, limit: &str| {
        sample(&metrics, &format!("{name}_count"))
            - sample(&metrics, &format!("{name}_bucket{{le={limit:?}}}"))
    };

    for _ in 0..100 {
        ana.says(long.clone()).await?;
        ana.hears_any().await?;
        ben.hears_any().await?;
    }
    assert_eq!(above("chat_outbox_fill_ratio", "0.1"), 0.0, "everybody reads");
    assert_eq!(above("chat_write_wait_seconds", "0.1"), 0.0, "and soon");

    ben.stops_reading();
    for _ in 0..2 * OUTBOX_SIZE {
        ana.says(long.clone()).await?;
        ana.hears_any().await?;
    }
    sleep(20 * SECOND).await;

    becomes(&metrics, r#"chat_disconnects_total{cause="too_slow"}"#, 1.0).await?;
    assert_eq!(
        above("chat_write_wait_seconds", "2.5"),
        1.0,
        "the write that was given up"
    );
    assert_eq!(above("chat_outbox_fill_ratio", "0.75"), 1.0, "Ben's outbox was full");
    let broadcasts = above("chat_broadcast_seconds", "0.1");
    assert_eq!(broadcasts, 0.0, "nobody waited for Ben");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_has_filled_is_seen_when_its_client_reads_again() -> Check {
    let (server, metrics) = server();
    let (mut ana, mut ben) = ana_and_ben(&server).await?;
    let before = sample(&metrics, "chat_deliveries_total");
    let chats = OUTBOX_SIZE * 7 / 8;

    ben.stops_reading();
    for _ in 0..chats {
        ana.says(chat_of("x".repeat(1_000))).await?;
        ana.hears_any().await?;
    }
    ben.reads_again();

    // Ben's come many at a time, and each of them counts.
    becomes(&metrics, "chat_deliveries_total", before + 2.0 * chats as f64).await?;
    let all = sample(&metrics, "chat_outbox_fill_ratio_count");
    let half = sample(&metrics, r#"chat_outbox_fill_ratio_bucket{le="0.5"}"#);
    assert_eq!(all - half, 1.0, "Ben's outbox was more than half full, once");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_rooms_make_no_new_series() -> Check {
    let (server, metrics) = server();
    let before = series(&metrics);

    // Over sockets, and each with a close code of its own.
    for number in 0..100 {
        let room = format!("room-{number}");
        let mut ana = server.connect("Ana", &path(&room, "ana")).await?;
        ana.says(chat_of("hello")).await?;
        ana.hears_any().await?;
        ana.leaves_with(3_000 + number, "").await?;
    }
    // All others without one, because 10,000 handshakes take long.
    let rooms = RoomManager::default();
    let mut members = Vec::new();
    for number in 100..10_000 {
        let room = RoomName::try_from(format!("room-{number}")).expect("a good name");
        let mut connection = Connection::new(&metrics, &room, &username("ana"));
        connection.ends(&Disconnect::ByClient(Some(number)));
        members.push((rooms.join(room, username("ana")), connection));
    }
    assert_eq!(sample(&metrics, "chat_connections"), 9_900.0, "they are there");
    drop(members);

    becomes(&metrics, r#"chat_disconnects_total{cause="client"}"#, 10_000.0).await?;
    assert_eq!(
        appeared(&metrics, &before),
        None,
        "there are no more than in the beginning"
    );
    Ok(())
}

#[test]
fn names_follow_the_conventions() {
    let text = Metrics::new().text();

    assert!(
        text.ends_with("\n# EOF\n"),
        "OpenMetrics wants to know that nothing is missing"
    );
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let [name, kind] = line["# TYPE ".len()..].split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("a name and a type: {line}");
        };
        assert!(name.starts_with("chat_"), "{name} says whose it is");
        let unit = ["_seconds", "_ratio"].iter().any(|unit| name.ends_with(unit));
        assert_eq!(
            unit,
            text.contains(&format!("# UNIT {name} ")),
            "{name} has its unit"
        );
        let totals =
            text.lines().filter(|line| line.starts_with(&format!("{name}_total")));
        assert_eq!(totals.count() > 0, kind == "counter", "{name} is a {kind}");
    }
}
