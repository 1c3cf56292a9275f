//! How fast one person may send messages.

use std::time::Duration;

use probe::{
    Check, Client, Hint, ONE_MINUTE, Server, conformance::masked, json::error, serve,
};
use tokio::time::{Instant, sleep};

use super::{
    super::{
        app, app_with,
        people::{at_least_one, chat_from, config, path},
        serve_as_main,
    },
    MOMENT, PING, SECOND, chat_of, left, pong,
};
use crate::config::Config;

const NO_OBJECT: &str = r#"a message is a JSON object, such as {"type":"ping"}"#;

/// A server on which 20 messages are left of a person's burst after one connection, which
/// counts as two.
fn serve_with_twenty_left() -> Server {
    serve(app_with(Config { message_burst: at_least_one(22), ..config() }))
}

#[tokio::test(start_paused = true)]
async fn who_sends_too_fast_gets_an_error_that_says_when_to_try_again() -> Check {
    let server = serve_with_twenty_left();
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
    let rate = at_least_one(1);
    let config =
        Config { messages_per_second: rate, message_burst: at_least_one(3), ..config() };
    let server = serve(app_with(config));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    sleep(Duration::from_millis(999)).await; // It took 1 ms to connect.
    for _ in 0..2 {
        ana.says(PING).await?;
        ana.hears(pong()).await?;
    }

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
async fn after_a_pause_twenty_messages_at_once_are_allowed_again() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..3 {
        ana.hears_nothing_for(2 * SECOND).await?;
        for _ in 0..20 {
            ana.says(PING).await?;
        }
        for _ in 0..20 {
            ana.hears(pong()).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_person_does_not_use_up_the_rate_of_another() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("tea", "ben")).await?;

    for _ in 0..30 {
        ana.says(PING).await?;
    }

    ben.says(PING).await?;
    ben.hears(pong()).await
}

/// Each connection counts as two messages, so that nobody has more by reconnecting.
#[tokio::test(start_paused = true)]
async fn a_new_connection_does_not_begin_anew() -> Check {
    let server = serve(app());

    let (mut connections, mut pongs) = (0, 0);
    for _ in 0..10 {
        let Ok(mut ana) = server.connect("Ana", &path("rust", "ana")).await else {
            continue; // She has no message left.
        };
        connections += 1;
        for _ in 0..4 {
            ana.says(PING).await?;
        }
        let heard = ana.hears_out(MOMENT).await;
        let pong = pong().to_string();
        pongs += heard.iter().filter(|message| **message == pong).count();
        ana.leaves().await?;
    }

    let counted = 2 * connections + pongs;
    assert_eq!(counted, 20, "one burst, whatever the connection: {connections}, {pongs}");
    Ok(())
}

/// Sends something again and again, until the server has had enough.
async fn flood(eve: &mut Client, kind: &str) -> Check {
    for _ in 0..200 {
        let sent = match kind {
            "text" => eve.says(PING).await,
            "binary" => eve.sends_binary(b"more").await,
            "pings" => eve.pings(b"more").await,
            _ => eve.writes_raw(&[0x8a, 0x80, 0, 0, 0, 0]).await,
        };
        if sent.is_err() {
            break;
        }
    }
    eve.is_closed_in_the_end(1008, "too many messages")
        .await
        .map_err(|hint| Hint::new(format!("A flood of {kind}: {hint}")))
}

#[tokio::test(start_paused = true)]
async fn who_never_stops_is_closed_with_1008() -> Check {
    let server = serve(app());

    for kind in ["text", "binary", "pings", "pongs"] {
        let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
        flood(&mut eve, kind).await?;
        sleep(SECOND).await;
    }

    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, "[]", "the flooder is no member any more");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_not_read_after_its_close() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;

    eve.stops_reading(); // So she answers no Close, either.

    let start = Instant::now();
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    while eve.writes_raw(&ping).await.is_ok() && start.elapsed() < ONE_MINUTE {
        sleep(MOMENT).await;
    }

    assert!(start.elapsed() < SECOND, "she could go on for {:?}", start.elapsed());
    Ok(())
}

/// How many errors come before the Close, if somebody sends and sends.
async fn refusals_until_the_close(eve: &mut Client) -> Result<usize, Hint> {
    let error = r#"{"type":"error""#;
    let mut refusals = 0;
    for _ in 0..200 {
        if eve.says(PING).await.is_err() {
            break;
        }
        let heard = eve.hears_out(Duration::ZERO).await;
        refusals += heard.iter().filter(|text| text.starts_with(error)).count();
    }
    refusals +=
        eve.hears_out(MOMENT).await.iter().filter(|text| text.starts_with(error)).count();
    Ok(refusals)
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_forgotten_when_a_flooder_comes_back() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    let first = refusals_until_the_close(&mut eve).await?;
    assert!((100..105).contains(&first), "a hundred errors, and then 1008: {first}");

    server.rejects("Eve", &path("rust", "ana"), 429).await?;
    sleep(SECOND / 2).await; // Now she may connect, and has three messages.
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    let second = refusals_until_the_close(&mut eve).await?;

    assert!((1..10).contains(&second), "this time {second} errors were enough for 1008");
    sleep(10 * SECOND).await;
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    let third = refusals_until_the_close(&mut eve).await?;
    assert!((90..105).contains(&third), "she was quiet for a while, and got {third}");
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
async fn even_without_a_rate_a_flooder_evicts_nobody() -> Check {
    let lifted = Config {
        messages_per_second: at_least_one(1_000_000),
        message_burst: at_least_one(1_000_000),
        outbox_size: 64,
        ..config()
    };
    let server = serve(app_with(lifted));

    let [mut ana, mut ben, _eve] = eve_floods(&server).await?;

    // What did not fit into their outboxes came from the log.
    for neighbour in [&mut ana, &mut ben] {
        let heard = neighbour.hears_out(SECOND).await;
        let chats = heard.iter().filter(|text| text.contains(r#""type":"chat""#)).count();
        assert_eq!(chats, 3_000, "all that was said");
    }
    ana.says(chat_of("Peace.")).await?;
    ben.hears(chat_from("ana", "Peace.")).await
}

#[tokio::test(start_paused = true)]
async fn with_a_rate_nobody_is_evicted_but_the_flooder() -> Check {
    let server = serve_with_twenty_left();

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

#[tokio::test(start_paused = true)]
async fn a_message_without_an_end_comes_in_no_faster_than_honest_ones() -> Check {
    let server = serve_as_main(config());
    let mut eve = server.connect("Eve", &path("rust", "cem")).await?;
    let start = Instant::now();

    eve.writes_raw(&masked(0x01, b"x")).await?;
    let empty_fragment = masked(0x00, b"");
    let bytes = 3 * config().bytes_per_second() as usize;
    eve.writes_raw(&empty_fragment.repeat(bytes / empty_fragment.len())).await?;
    eve.writes_raw(&masked(0x80, b"")).await?;

    // In the end it is the text "x".
    eve.hears(error(NO_OBJECT)).await?;
    let took = start.elapsed();
    assert!(took > 3 * SECOND - SECOND / 4, "three seconds' worth took {took:?}");
    assert!(took < 3 * SECOND + SECOND / 4, "and no longer, but took {took:?}");
    Ok(())
}
