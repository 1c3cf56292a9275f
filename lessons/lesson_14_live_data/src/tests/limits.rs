//! What the limits promise, in this lesson and in those that follow.

use std::{ops::RangeBounds, time::Duration};

use axum::Router;
use probe::{
    Because, Check, Client, Hint, ONE_MINUTE, Server, conformance::masked, json::error,
    rooms::chat_from, serve,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{app, app_with, guests::path, serve_as_main};
use crate::{limits::Limits, outbox::*};

const SECOND: Duration = Duration::from_secs(1);

const NO_OBJECT: &str = r#"a message is a JSON object, such as {"type":"ping"}"#;

const PING: &str = r#"{"type":"ping"}"#;

/// A server on which one person may say much, but an outbox is soon full.
pub fn talkative() -> Router {
    app_with(Limits {
        messages_per_second: 10_000,
        burst: 10_000,
        outbox: 256,
        ..Limits::default()
    })
}

fn pong() -> Value {
    json!({ "type": "pong" })
}

fn chat_of(content: impl Into<String>) -> String {
    json!({ "type": "chat", "content": content.into() }).to_string()
}

fn joined(name: &str) -> Value {
    json!({ "type": "user_joined", "username": name })
}

fn left(name: &str) -> Value {
    json!({ "type": "user_left", "username": name })
}

#[tokio::test(start_paused = true)]
async fn whoever_speaks_too_fast_is_told_when_to_try_again() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..21 {
        ana.says(PING).await?;
    }

    // The error does not pass through the outbox, so it may come before the last pongs.
    let mut heard = ana.hears_out(SECOND / 20).await;
    heard.sort();
    let mut expected =
        vec![error("too many messages: try again in 0.1 seconds").to_string()];
    expected.resize(21, pong().to_string());
    assert_eq!(heard, expected, "twenty at once are fine, the next one is too early");
    ana.hears_nothing_for(SECOND / 20).await?;
    ana.says(PING).await?;
    ana.hears(pong()).await
}

#[tokio::test(start_paused = true)]
async fn the_wait_in_the_error_is_as_long_as_it_must_be() -> Check {
    let limits = Limits { messages_per_second: 1, burst: 1, ..Limits::default() };
    let server = serve(app_with(limits));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    ana.says(PING).await?;
    ana.hears(pong()).await?;

    ana.hears_nothing_for(SECOND * 3 / 10).await?;
    ana.says(PING).await?;
    ana.hears(error("too many messages: try again in 0.7 seconds")).await?;
    ana.hears_nothing_for(SECOND * 6 / 10).await?;
    ana.says(PING).await?;
    ana.hears(error("too many messages: try again in 0.1 seconds")).await?;
    ana.hears_nothing_for(SECOND * 7 / 100).await?;
    ana.says(PING).await?;
    ana.hears(error("too many messages: try again in 0.1 seconds")).await?;

    ana.hears_nothing_for(SECOND / 10).await?;
    ana.says(PING).await?;
    ana.hears(pong()).await
}

#[tokio::test(start_paused = true)]
async fn ten_messages_a_second_for_a_minute_are_never_refused() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..600 {
        ana.says(PING).await?;
        ana.hears(pong()).await?;
        ana.hears_nothing_for(SECOND / 10).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_one_may_say_twenty_things_at_once_again() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..3 {
        for _ in 0..20 {
            ana.says(PING).await?;
        }
        for _ in 0..20 {
            ana.hears(pong()).await?;
        }
        ana.hears_nothing_for(2 * SECOND).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_pace_of_one_is_not_the_pace_of_another() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("tea", "ben")).await?;

    for _ in 0..30 {
        ana.says(PING).await?;
    }

    ben.says(PING).await?;
    ben.hears(pong()).await
}

#[tokio::test(start_paused = true)]
async fn whoever_never_stops_is_closed_with_1008() -> Check {
    let server = serve(app());

    for kind in ["text", "binary", "pings", "pongs"] {
        let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
        for _ in 0..200 {
            let sent = match kind {
                "text" => eve.says(PING).await,
                "binary" => eve.sends_binary(b"more").await,
                "pings" => eve.pings(b"more").await,
                _ => eve.writes_raw(&[0x8a, 0x80, 0, 0, 0, 0]).await,
            };
            if sent.is_err() {
                break; // The server has had enough.
            }
        }
        eve.is_closed_in_the_end(1008, "too many messages")
            .await
            .map_err(|hint| Hint::new(format!("A flood of {kind}: {hint}")))?;
        sleep(SECOND).await;
    }

    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, "[]", "the flooder has lost its place");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_not_listened_to_after_its_close() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;

    eve.stops_reading(); // So she answers no Close, either.

    let start = Instant::now();
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    while eve.writes_raw(&ping).await.is_ok() && start.elapsed() < ONE_MINUTE {
        sleep(SECOND / 1_000).await;
    }

    assert!(start.elapsed() < SECOND, "she could go on for {:?}", start.elapsed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_sixth_connection_of_a_person_is_closed_with_1008() -> Check {
    let server = serve(app());
    let mut tabs = Vec::new();
    for room in ["one", "two", "three", "four", "five"] {
        tabs.push(server.connect("Ana", &path(room, "ana")).await?);
    }

    let mut sixth = server.connect("Ana", &path("six", "ana")).await?;

    sixth.is_closed(1008, "too many connections of yours").await?;
    let answer = server.get("/rooms").await?;
    assert!(!answer.body.contains("six"), "it has joined no room: {}", answer.body);
    tabs.push(server.connect("Ben", &path("six", "ben")).await?);
    for tab in &mut tabs {
        tab.hears_nothing_for(SECOND).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_takes_the_places_of_all() -> Check {
    let server = serve(app_with(Limits { connections: 20, ..Limits::default() }));
    let mut silent = Vec::new();
    for number in 0..15 {
        let path = path(&format!("r{number}"), "ana");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        silent.push(server.opens_a_connection(&request).await?); // It answers no Close.
    }
    sleep(SECOND / 10).await;

    server.rejects("Ana", &path("rust", "ana"), 503).await?;

    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    sleep(2 * SECOND).await;
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    ana.is_closed(1008, "too many connections of yours").await
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_however_its_owner_leaves() -> Check {
    // One place for all, and one for each: if either stays taken, Ana is not let in.
    let limits = Limits { connections: 1, connections_per_user: 1, ..Limits::default() };
    let server = serve(app_with(limits));

    for way in ["a close", "a dropped line", "a fault", "a message too big"] {
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        ana.says(PING).await?;
        ana.hears(pong()).await.map_err(|hint| Hint::new(format!("{way}: {hint}")))?;
        server.rejects("Ben", &path("rust", "ben"), 503).await?;
        match way {
            "a close" => ana.leaves().await?,
            "a dropped line" => ana.vanishes().await,
            "a fault" => {
                ana.writes_raw(b"this is no frame").await?;
                ana.is_closed(1002, "protocol error").await?;
                sleep(SECOND).await;
            }
            _ => {
                let _ = ana.says("x".repeat(100_000)).await; // It is cut off meanwhile.
                ana.is_closed_in_the_end(1009, "message too big").await?;
                sleep(SECOND).await;
            }
        }
    }
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_full_server_answers_503_before_the_upgrade() -> Check {
    let server = serve(app_with(Limits { connections: 2, ..Limits::default() }));
    let ana = server.connect("Ana", &path("rust", "ana")).await?;
    let _ben = server.connect("Ben", &path("rust", "ben")).await?;

    let answer = server.rejects("Cem", &path("rust", "cem"), 503).await?;

    assert_eq!(answer.body, "All places are taken. Try again in ten seconds.");
    assert_eq!(answer.headers["retry-after"], "10", "a program knows when, too");
    assert_eq!(server.get("/rooms").await?.status, 200, "requests are still answered");
    ana.leaves().await?;
    server.connect("Cem", &path("rust", "cem")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_too_much_keeps_nobody_out_for_long() -> Check {
    let limits = Limits { connections: 2, connections_per_user: 1, ..Limits::default() };
    let server = serve(app_with(limits));
    let _eve = server.connect("Eve", &path("rust", "ana")).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        path("tea", "ana")
    );

    let _never_answers_the_close = server.opens_a_connection(&request).await?;
    sleep(SECOND / 2).await;
    server.rejects("Ben", &path("rust", "ben"), 503).await?;

    sleep(SECOND).await;
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_full_is_closed_with_1013() -> Check {
    let server = serve(app_with(Limits { members_per_room: 2, ..Limits::default() }));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;

    let mut cem = server.connect("Cem", &path("rust", "cem")).await?;

    cem.is_closed(1013, "this room is full").await?;
    ana.hears_nothing_for(SECOND).await?;
    ben.leaves().await?;
    ana.hears(left("ben")).await?;
    let _cem = server.connect("Cem", &path("rust", "cem")).await?;
    ana.hears(joined("cem")).await
}

#[tokio::test(start_paused = true)]
async fn one_room_too_many_is_closed_with_1013() -> Check {
    let server = serve(app_with(Limits { rooms: 2, ..Limits::default() }));
    let _rust = server.connect("Ana", &path("rust", "ana")).await?;
    let tea = server.connect("Ana", &path("tea", "ana")).await?;

    let mut ben = server.connect("Ben", &path("figs", "ben")).await?;

    ben.is_closed(1013, "there are too many rooms").await?;
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    tea.leaves().await?;
    let mut ben = server.connect("Ben", &path("figs", "ben")).await?;
    ben.hears_nothing_for(SECOND).await
}

/// A room in which one may say much at once, and 50 messages may wait for each.
fn with_a_short_outbox(slow_client: SlowClient) -> Server {
    let limits = Limits { outbox: 50, burst: 1_000, slow_client, ..Limits::default() };
    serve(app_with(limits))
}

/// Ana stops reading, Ben says 200 numbers, and Ana reads again.
///
/// The numbers are long, so that not many of them fit into the line.
async fn ana_naps(server: &Server) -> Result<(Client, Client), Hint> {
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;
    ana.stops_reading();

    for number in 0..200 {
        ben.says(chat_of(format!("{number:01000}"))).await?;
        ben.hears_any().await?;
    }
    ana.reads_again();
    Ok((ana, ben))
}

/// The numbers among what somebody has heard, in order.
fn numbers(heard: &[String]) -> Vec<usize> {
    let chats = heard.iter().filter_map(|text| {
        let message: Value = serde_json::from_str(text).ok()?;
        message["content"].as_str()?.parse().ok()
    });
    chats.collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_does_not_begin_anew() -> Check {
    let server = serve(app());

    let mut allowed = 0;
    for _ in 0..10 {
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        for _ in 0..20 {
            ana.says(PING).await?;
        }
        let heard = ana.hears_out(Duration::from_millis(1)).await;
        let pong = pong().to_string();
        allowed += heard.iter().filter(|message| **message == pong).count();
        ana.leaves().await?;
    }

    assert_eq!(allowed, 20, "Ana has one burst, and not one for each connection");
    Ok(())
}

/// Each message may take a while, if the client reads: so they must not have to be read
/// in one go.
#[tokio::test]
async fn what_waits_goes_out_in_parts_until_the_client_has_lost_its_place() {
    let (sender, mut outbox) = outbox(1_000, SlowClient::DropOldest);
    for _ in 0..100 {
        sender.send("hello".into());
    }

    let part = outbox.take().await.map(|waiting| waiting.messages.len());
    assert_eq!(part, Some(32), "a part that one can read in ten seconds");
    drop(sender);
    let rest = outbox.take().await.map(|waiting| waiting.messages.len());
    assert_eq!(rest, Some(68), "then all the rest, because it has to go");
    assert!(outbox.take().await.is_none(), "and no more");
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_its_place_has_no_say_any_more() -> Check {
    for _ in 0..10 {
        let server = serve(talkative());
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
        ana.hears(joined("ben")).await?;

        ben.stops_reading();
        let left = left("ben").to_string();
        let mut heard = String::new();
        while heard != left {
            ana.says(chat_of("x".repeat(2_000))).await?;
            heard = ana.hears_any().await?;
        }
        for _ in 0..10 {
            ben.says(chat_of("I am still here!")).await?;
        }
        ben.reads_again();

        let rest = ana.hears_out(ONE_MINUTE).await;
        assert!(rest.iter().all(|said| !said.contains("still here")), "{rest:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn close_ends_the_session_of_a_slow_client_with_4008() -> Check {
    let server = with_a_short_outbox(SlowClient::Close);

    let (mut ana, mut ben) = ana_naps(&server).await?;

    ana.is_closed_in_the_end(4008, "too slow").await?;
    let heard = ben.hears_out(SECOND).await;
    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, r#"[{"room":"rust","members":1}]"#, "only Ben is left");
    assert_eq!(
        heard.len(),
        1,
        "and Ben has heard one message more than his own: {heard:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn drop_keeps_a_slow_client_and_the_newest_messages() -> Check {
    let server = with_a_short_outbox(SlowClient::DropOldest);

    let (mut ana, mut ben) = ana_naps(&server).await?;

    let heard = ana.hears_out(SECOND).await;
    let numbers = numbers(&heard);
    assert_eq!(numbers.len(), heard.len(), "she is told nothing else: {heard:?}");
    assert!(numbers.is_sorted_by(|one, next| one < next), "in order, and none twice");
    assert!(numbers.len() < 200, "some are missing");
    assert!(numbers.ends_with(&(150..200).collect::<Vec<_>>()), "but not the newest");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn tell_says_how_many_a_slow_client_has_missed() -> Check {
    let server = with_a_short_outbox(SlowClient::Tell);

    let (mut ana, mut ben) = ana_naps(&server).await?;

    let heard = ana.hears_out(SECOND).await;
    let numbers = numbers(&heard);
    let missed = json!({ "type": "missed", "count": 200 - numbers.len() }).to_string();
    let gap = heard.iter().position(|text| *text == missed);
    let gap = gap.ok_or_else(|| server.hint(format!("Ana should be told {missed}.")))?;
    assert_eq!(heard.len(), numbers.len() + 1, "she is told once");
    assert!(numbers[..gap].iter().copied().eq(0..gap), "all is there before the gap");
    assert!(numbers[gap..].iter().copied().eq(150..200), "and the newest are after it");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_nothing_at_all_is_cut_off_under_every_policy() -> Check {
    for policy in [SlowClient::Close, SlowClient::DropOldest, SlowClient::Tell] {
        let server = with_a_short_outbox(policy);
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
        ana.stops_reading();

        for _ in 0..40 {
            ben.says(chat_of("x".repeat(1_000))).await?;
            ben.hears_out(SECOND / 2).await;
        }

        let answer = server.get("/rooms").await?;
        assert_eq!(answer.body, r#"[{"room":"rust","members":1}]"#, "Ana is out");
        sleep(SECOND * 10).await;
        ana.reads_again();
        ana.finds_the_connection_lost().await?;
    }
    Ok(())
}

/// Eve floods the room that Ana and Ben are in, who read all the time.
async fn eve_floods(server: &Server) -> Result<[Client; 3], Hint> {
    let ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    let mut eve = server.connect("Eve", &path("rust", "cem")).await?;

    for _ in 0..3_000 {
        if eve.says(chat_of("Buy figs!")).await.is_err() {
            break; // The server has had enough of her.
        }
    }
    Ok([ana, ben, eve])
}

#[tokio::test(start_paused = true)]
async fn without_a_pace_one_flooder_evicts_its_healthy_neighbours() -> Check {
    let lifted = Limits {
        messages_per_second: 1_000_000,
        burst: 1_000_000,
        outbox: 64,
        ..Limits::default()
    };
    let server = serve(app_with(lifted));

    let [mut ana, mut ben, _] = eve_floods(&server).await?;

    // They have read all the time, and yet each of them is called too slow.
    ana.is_closed_in_the_end(4008, "too slow").await?;
    ben.is_closed_in_the_end(4008, "too slow").await
}

#[tokio::test(start_paused = true)]
async fn with_a_pace_nobody_is_evicted_but_the_flooder() -> Check {
    let server = serve(app());

    let [mut ana, mut ben, mut eve] = eve_floods(&server).await?;

    eve.is_closed_in_the_end(1008, "too many messages").await?;
    for neighbour in [&mut ana, &mut ben] {
        let heard = neighbour.hears_out(SECOND).await;
        let chats = heard.iter().filter(|text| text.contains(r#""type":"chat""#)).count();
        assert!((20..40).contains(&chats), "she was heard {chats} times, and no more");
        assert_eq!(heard.last(), Some(&left("cem").to_string()), "then she was gone");
    }
    ana.says(chat_of("Peace.")).await?;
    ben.hears(chat_from("ana", "Peace.")).await
}

#[test]
fn limits_that_contradict_each_other_get_a_sentence() {
    let cases = [
        (
            "OUTBOX",
            "100",
            "OUTBOX is 100, but a full room may send 800 messages at once.",
        ),
        (
            "BURST",
            "30",
            "OUTBOX is 1024, but a full room may send 1200 messages at once.",
        ),
        ("ROOMS", "0", "A limit of 0 would keep everybody out."),
        ("BURST", "0", "A limit of 0 would keep everybody out."),
        ("ROOMS", "many", "ROOMS is \"many\": invalid digit found in string."),
        ("CONNECTIONS", "-1", "CONNECTIONS is \"-1\": invalid digit found in string."),
        (
            "SLOW_CLIENT",
            "wait",
            "SLOW_CLIENT is \"wait\": it may be close, drop or tell.",
        ),
    ];

    for (name, text, sentence) in cases {
        let problem = Limits::read(|asked| (asked == name).then(|| text.into())).err();
        assert_eq!(problem.as_deref(), Some(sentence), "{name}={text}");
    }
}

#[test]
fn each_limit_has_a_name_in_the_environment() -> Result<(), String> {
    let limits = Limits::read(|name| {
        let text = match name {
            "CONNECTIONS" => "1",
            "CONNECTIONS_PER_USER" => "2",
            "MEMBERS_PER_ROOM" => "3",
            "ROOMS" => "4",
            "MESSAGES_PER_SECOND" => "5",
            "BURST" => "6",
            "OUTBOX" => "18",
            "SLOW_CLIENT" => "tell",
            "OPEN_LINES" => "8",
            _ => return None,
        };
        Some(text.into())
    })?;

    let numbers = [
        limits.connections,
        limits.connections_per_user,
        limits.members_per_room,
        limits.rooms,
        limits.messages_per_second as usize,
        limits.burst as usize,
        limits.outbox,
        limits.open_lines,
    ];
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 18, 8], "each name sets its limit");
    assert!(limits.slow_client == SlowClient::Tell, "and the policy");
    assert!(Limits::read(|_| None).is_ok(), "and the usual ones agree with each other");
    Ok(())
}

const HALF: &str = "GET /ws/chat/rust HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n";

fn serve_on(open_lines: usize) -> Server {
    let limits = Limits { open_lines, ..Limits::default() };
    serve_as_main(limits)
}

fn between(time: Duration, seconds: impl RangeBounds<u64>) {
    assert!(seconds.contains(&time.as_secs()), "the line was open for {time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_without_an_end_comes_in_no_faster_than_honest_ones() -> Check {
    let server = serve_as_main(Limits::default());
    let mut eve = server.connect("Eve", &path("rust", "cem")).await?;
    let start = Instant::now();

    eve.writes_raw(&masked(0x01, b"x")).await?;
    let empty_piece = masked(0x00, b"");
    let bytes = 3 * Limits::default().bytes_per_second() as usize;
    eve.writes_raw(&empty_piece.repeat(bytes / empty_piece.len())).await?;
    eve.writes_raw(&masked(0x80, b"")).await?;

    eve.hears(error(NO_OBJECT)).await.because("In the end it is the text “x”.")?;
    let took = start.elapsed();
    assert!(took > 3 * SECOND - SECOND / 4, "three seconds' worth took {took:?}");
    assert!(took < 3 * SECOND + SECOND / 4, "and no longer, but took {took:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn half_a_handshake_is_cut_off_after_five_seconds() -> Check {
    let server = serve_on(3);
    for text in [HALF, "G", ""] {
        let half = server.opens_a_connection(text).await?;
        between(half.is_closed().await?, 5..6);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handshake_in_single_bytes_is_cut_off_after_five_seconds() -> Check {
    let server = serve_on(3);
    let mut slow = server.opens_a_connection("").await?;

    for byte in HALF.chars() {
        if slow.writes(&byte.to_string()).await.is_err() {
            break; // It was cut off.
        }
        sleep(SECOND / 2).await;
    }

    between(slow.is_closed().await?, 5..7);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_line_that_asks_nothing_more_is_cut_off_after_five_seconds() -> Check {
    let server = serve_on(3);
    let mut idle = server.opens_a_connection(&format!("{HALF}\r\n")).await?;
    let answer = idle.hears_out(SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "it had an answer first: {answer}");

    between(idle.is_closed().await?, 5..6);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_line_that_reads_no_answers_is_cut_off_after_half_a_minute() -> Check {
    let server = serve_on(3);
    let mut deaf = server.opens_a_connection("").await?;
    let request = "GET /lesson_14.html HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    while deaf.writes(request).await.is_ok() {} // Until the server reads no more.

    sleep(SECOND * 26).await;
    // Were it still open, then we would give it time by reading now.
    between(deaf.is_closed().await?, 36..37);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_line_that_never_stops_asking_has_half_a_minute() -> Check {
    let server = serve_on(3);
    let mut busy = server.opens_a_connection("").await?;
    let request = "GET /rooms HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    while busy.writes(request).await.is_ok() && !busy.hears_out(SECOND).await.is_empty() {
    }

    between(busy.is_closed().await?, 30..33);
    Ok(())
}

const LOG_IN: &str = "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
    Content-Type: application/json\r\nContent-Length: 100\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_login_that_never_ends_is_cut_off_after_half_a_minute() -> Check {
    let server = serve_on(3);
    let mut slow = server.opens_a_connection(LOG_IN).await?;

    for _ in 0..100 {
        if slow.writes(" ").await.is_err() {
            break; // It was cut off.
        }
        sleep(SECOND).await;
    }

    between(slow.is_closed().await?, 35..37);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_request_in_progress_is_still_answered() -> Check {
    let server = serve_on(3);
    let mut late = server.opens_a_connection(LOG_IN).await?;
    sleep(SECOND * 32).await; // The time of the line is over, but not its last chance.

    late.writes(&" ".repeat(100)).await?;

    let answer = late.hears_out(SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "no JSON, but an answer: {answer}");
    between(late.is_closed().await?, 32..34);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_free_line_waits_at_the_door_for_five_seconds() -> Check {
    let server = serve_on(3);
    let mut half = vec![
        server.opens_a_connection(HALF).await?,
        server.opens_a_connection("G").await?,
    ];
    let start = Instant::now();
    server.connect("Ana", &path("rust", "ana")).await?.leaves().await?;
    assert!(start.elapsed() < SECOND, "one line is free, so she gets in at once");

    half.push(server.opens_a_connection("").await?);
    let start = Instant::now();
    let ana = server.connect("Ana", &path("rust", "ana")).await?;

    between(start.elapsed(), 4..6);
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_websocket_outlives_the_deadlines_and_leaves_its_line_free() -> Check {
    let server = serve_on(1);
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;

    ana.hears_nothing_for(2 * ONE_MINUTE).await?;

    ben.says(chat_of("Still here?")).await?;
    ana.hears(chat_from("ben", "Still here?")).await
}
