//! How fast one person may send messages.

use std::time::Duration;

use probe::{
    Check, Client, Hint, ONE_MINUTE, Server, json::error, rooms::chat_from, serve,
    serve_tcp, upgrade_request,
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use super::{
    MOMENT, PING, SECOND, app, app_with, chat_of, left, people::path, pong, talkative,
};

/// A server on which 20 messages are left of a person's burst after one connection, which
/// counts as two.
fn serve_with_twenty_left() -> Server {
    serve(app_with(10, 22))
}

#[tokio::test(start_paused = true)]
async fn who_sends_too_fast_gets_an_error_that_says_when_to_try_again() -> Check {
    let server = serve_with_twenty_left();
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..21 {
        ana.says(PING).await?;
    }

    for _ in 0..20 {
        ana.hears(pong()).await?;
    }
    ana.hears(error("too many messages: try again in 0.1 seconds")).await?;
    ana.hears_nothing_for(SECOND / 10).await?;
    ana.says(PING).await?;
    ana.hears(pong()).await
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_reaches_nobody() -> Check {
    let server = serve(app_with(10, 3));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;

    ana.says(chat_of("one")).await?;
    ana.says(chat_of("two")).await?;

    ben.hears(chat_from("ana", "one")).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

/// The library has answered the ping already, and a pong has no answer.
#[tokio::test(start_paused = true)]
async fn of_all_that_is_refused_only_text_and_binary_get_an_error() -> Check {
    let server = serve(app_with(1, 2));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    ana.pings(b"still here?").await?;
    ana.writes_raw(&[0x8a, 0x80, 0, 0, 0, 0]).await?;
    ana.hears_nothing_for(SECOND / 10).await?;

    ana.says(PING).await?;
    ana.hears(error("too many messages: try again in 0.9 seconds")).await?;
    ana.sends_binary(b"still here?").await?;
    ana.hears(error("too many messages: try again in 0.9 seconds")).await
}

#[tokio::test(start_paused = true)]
async fn the_wait_in_the_error_is_as_long_as_it_must_be() -> Check {
    let server = serve(app_with(1, 3));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    sleep(Duration::from_millis(999)).await; // It took 1 ms to connect.
    for _ in 0..2 {
        ana.says(PING).await?;
        ana.hears(pong()).await?;
    }

    let too_many = |wait: &str| error(format!("too many messages: try again in {wait}"));
    ana.hears_nothing_for(SECOND * 3 / 10).await?;
    ana.says(PING).await?;
    ana.hears(too_many("0.7 seconds")).await?;
    ana.hears_nothing_for(SECOND * 6 / 10).await?;
    ana.says(PING).await?;
    ana.hears(too_many("0.1 seconds")).await?;
    ana.hears_nothing_for(SECOND * 7 / 100).await?;
    ana.says(PING).await?;
    ana.hears(too_many("0.1 seconds")).await?; // 0.03 would be rounded to 0.0.

    ana.hears_nothing_for(SECOND * 3 / 100).await?;
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

/// How many pongs are among what this client hears now.
async fn pongs(client: &mut Client) -> usize {
    let pong = pong().to_string();
    client.hears_out(MOMENT).await.iter().filter(|text| **text == pong).count()
}

#[tokio::test(start_paused = true)]
async fn all_connections_of_a_person_have_one_rate_together() -> Check {
    let server = serve(app_with(10, 40));
    let mut windows = Vec::new();
    for number in 0..10 {
        let path = path(&format!("room-{number}"), "ana");
        windows.push(server.connect("Ana", &path).await?);
    }

    let mut answered = 0;
    for window in &mut windows {
        for _ in 0..5 {
            window.says(PING).await?;
        }
        answered += pongs(window).await;
    }

    assert_eq!(answered, 20, "ten windows count as 20, so 20 of 40 were left for all");
    Ok(())
}

/// Each connection counts as two messages, so that nobody has more by reconnecting.
#[tokio::test(start_paused = true)]
async fn a_new_connection_does_not_begin_anew() -> Check {
    let server = serve(app());

    let (mut connections, mut answered) = (0, 0);
    for _ in 0..10 {
        let Ok(mut ana) = server.connect("Ana", &path("rust", "ana")).await else {
            continue; // She has no message left.
        };
        connections += 1;
        for _ in 0..4 {
            ana.says(PING).await?;
        }
        answered += pongs(&mut ana).await;
        ana.leaves().await?;
    }

    let counted = 2 * connections + answered;
    assert_eq!(counted, 20, "one burst: {connections} connections, {answered} pongs");
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

/// Over TCP, where a connection that is dropped too early is reset, and the reset may
/// overtake the Close.
#[tokio::test]
async fn the_close_reaches_a_flooder_that_goes_on_writing() -> Check {
    let server = serve_tcp(app()).await?;
    let mut eve = server.connect("Eve", &path("rust", "cem")).await?;

    let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(100);
    for _ in 0..100 {
        if eve.writes_raw(&pings).await.is_err() {
            break; // The server has dropped the connection.
        }
        yield_now().await;
    }

    eve.is_closed_in_the_end(1008, "too many messages").await
}

/// Writes pings, one each millisecond, and says for how long the server took them.
async fn can_write_for(client: &mut Client) -> Duration {
    let start = Instant::now();
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    while client.writes_raw(&ping).await.is_ok() && start.elapsed() < ONE_MINUTE {
        sleep(MOMENT).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_read_for_a_second_after_its_close_and_no_longer() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    eve.stops_reading(); // So she answers no Close, either.

    let time = can_write_for(&mut eve).await;

    assert!(
        time > SECOND,
        "the server should wait for her answer, but read for {time:?}"
    );
    assert!(
        time < 2 * SECOND,
        "nobody counts these pings, but they were read for {time:?}"
    );
    Ok(())
}

/// Nobody counts what comes after a Close, whatever it is for.
#[tokio::test(start_paused = true)]
async fn after_any_other_close_a_client_is_read_for_a_second_too() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    eve.stops_reading();
    sleep(14 * ONE_MINUTE).await;
    while server.get("/rooms").await?.body != "[]" {
        sleep(SECOND / 100).await; // Until her token expires.
    }

    let time = can_write_for(&mut eve).await;

    assert!(
        time < 2 * SECOND,
        "nobody counts these pings, but they were read for {time:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_the_close_for_a_taken_name_is_dropped_after_a_second()
-> Check {
    let server = serve(app());
    let _first = server.connect("Eve", &path("rust", "ana")).await?;
    let request = upgrade_request(&path("rust", "ana"));

    let second = server.opens_a_connection(&request).await?;

    let time = second.is_closed().await?;
    assert!(time < 2 * SECOND, "the connection was open for {time:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_was_too_slow_has_longer_to_read_the_close() -> Check {
    let server = serve(talkative());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.stops_reading();
    for _ in 0..300 {
        ben.says(chat_of("x".repeat(2_000))).await?;
    }
    while server.get("/rooms").await?.body.contains("2") {
        sleep(SECOND / 10).await; // Until the server gives Ana up.
    }

    sleep(3 * SECOND).await;
    ana.reads_again();

    ana.is_closed_in_the_end(4008, "too slow").await
}

/// How many errors come before the Close, if somebody sends and sends, with a moment between
/// two messages. (Without it, the last errors may be in the outbox when it closes.)
async fn refusals_until_the_close(eve: &mut Client) -> usize {
    let mut heard = Vec::new();
    for _ in 0..200 {
        if eve.says(PING).await.is_err() {
            break;
        }
        heard.extend(eve.hears_out(MOMENT).await);
    }
    heard.iter().filter(|text| text.starts_with(r#"{"type":"error""#)).count()
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_forgotten_when_a_flooder_comes_back() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    let first = refusals_until_the_close(&mut eve).await;
    assert!((100..110).contains(&first), "a hundred errors, and then 1008: {first}");

    server.rejects("Eve", &path("rust", "ana"), 429).await?;
    sleep(SECOND / 2).await; // Now she may connect, and has three messages.
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    let second = refusals_until_the_close(&mut eve).await;

    assert!((1..10).contains(&second), "this time {second} errors were enough for 1008");
    sleep(10 * SECOND).await;
    let mut eve = server.connect("Eve", &path("rust", "ana")).await?;
    let third = refusals_until_the_close(&mut eve).await;
    assert!((90..110).contains(&third), "she was quiet for a while, and got {third}");
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
async fn without_a_rate_one_flooder_evicts_its_healthy_neighbours() -> Check {
    let server = serve(app_with(1_000_000, 1_000_000));

    let [mut ana, mut ben, _] = eve_floods(&server).await?;

    // They have read all the time, and yet each of them is called too slow.
    ana.is_closed_in_the_end(4008, "too slow").await?;
    ben.is_closed_in_the_end(4008, "too slow").await
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
