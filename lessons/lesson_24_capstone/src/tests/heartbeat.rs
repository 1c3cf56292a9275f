//! What the heartbeat promises.

use probe::{Check, Client, Hint, ONE_MINUTE, Server, conformance::masked, serve};
use serde_json::json;
use tokio::{
    join,
    time::{Duration, Instant, advance, sleep},
};

use super::{
    people::{chat_from, path},
    talkative,
};

const SECOND: Duration = Duration::from_secs(1);

/// How long a client may be silent before the server sends a ping.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the pong may take.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may stay that nobody uses.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Two timers at the same instant may fire in any order, so we keep away from it.
const MARGIN: Duration = Duration::from_millis(100);

const PING: &str = r#"{"type":"ping"}"#;

/// Ana and Ben in one room. All joins were received.
async fn ana_and_ben() -> Result<(Server, Client, Client), Hint> {
    let server = serve(talkative());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    Ok((server, ana, ben))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_is_disconnected_after_30_seconds() -> Check {
    let (server, mut ana, mut ben) = ana_and_ben().await?;
    let start = Instant::now();

    ben.stops_reading();

    ana.hears_nothing_for(PING_INTERVAL + PONG_TIMEOUT - MARGIN).await?;
    ana.hears(json!({ "type": "user_left", "username": "ben" })).await?;
    let after = start.elapsed();
    assert!(after < 30 * SECOND + MARGIN, "Ben was disconnected only after {after:?}");
    server.connect("Ben again", &path("rust", "ben")).await?;
    ben.reads_again();
    ben.is_closed(4010, "no sign of life").await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_stays() -> Check {
    let (_server, mut ana, mut ben) = ana_and_ben().await?;

    ana.hears_nothing_for(9 * ONE_MINUTE).await?;
    ben.says(PING).await?;
    ben.hears(json!({ "type": "pong" })).await
}

#[tokio::test(start_paused = true)]
async fn a_ping_goes_out_only_after_20_seconds_of_silence() -> Check {
    let server = serve(talkative());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let before = server.writes();

    ana.hears_nothing_for(PING_INTERVAL - MARGIN).await?;
    assert_eq!(server.writes(), before, "Ana has sent something a moment ago");
    ana.hears_nothing_for(2 * MARGIN).await?;
    assert_eq!(server.writes(), before + 1, "now the server sends one ping");

    ana.hears_nothing_for(PING_INTERVAL - 3 * MARGIN).await?;
    assert_eq!(server.writes(), before + 1, "Ana's pong shows that she is there");
    ana.hears_nothing_for(4 * MARGIN).await?;
    assert_eq!(server.writes(), before + 2, "20 seconds later it sends the next");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn any_traffic_shows_that_the_client_is_alive() -> Check {
    for traffic in
        ["a text", "a binary message", "a ping", "a pong that nobody asked for"]
    {
        let (_server, mut ana, mut ben) = ana_and_ben().await?;
        let after = |hint| Hint::new(format!("After {traffic}: {hint}"));
        ben.stops_reading();

        for _ in 0..5 {
            ana.hears_nothing_for(PING_INTERVAL + PONG_TIMEOUT / 2)
                .await
                .map_err(after)?;
            match traffic {
                "a text" => ben.says(PING).await?,
                "a binary message" => ben.sends_binary(b"still here").await?,
                "a ping" => ben.pings(b"").await?,
                _ => ben.writes_raw(&masked(0x8A, b"")).await?,
            }
        }

        let silence = PING_INTERVAL + PONG_TIMEOUT - MARGIN;
        ana.hears_nothing_for(silence).await.map_err(after)?;
        let left = json!({ "type": "user_left", "username": "ben" });
        ana.hears(left).await.map_err(after)?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_that_pings_gets_pongs_and_no_pings_of_ours() -> Check {
    let server = serve(talkative());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let before = server.writes();

    for _ in 0..20 {
        ana.hears_nothing_for(PING_INTERVAL - MARGIN).await?;
        ana.says(PING).await?;
        ana.hears(json!({ "type": "pong" })).await?;
    }

    assert_eq!(server.writes(), before + 20, "one pong for each ping, and no more");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_closed_with_4011_after_ten_minutes() -> Check {
    let (_server, mut ana, mut ben) = ana_and_ben().await?;
    ana.hears_nothing_for(SECOND).await?;
    ana.says(r#"{"type":"chat","content":"Are you there?"}"#).await?;
    ana.hears(chat_from("ana", "Are you there?")).await?;
    ben.hears(chat_from("ana", "Are you there?")).await?;

    ben.hears_nothing_for(IDLE_TIMEOUT - SECOND - MARGIN).await?;

    ben.is_closed(4011, "idle").await?;
    ana.hears(json!({ "type": "user_left", "username": "ben" })).await
}

#[tokio::test(start_paused = true)]
async fn the_pings_of_a_page_do_not_keep_an_idle_session() -> Check {
    let server = serve(talkative());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..30 {
        ana.hears_nothing_for(PING_INTERVAL - MARGIN).await?;
        ana.says(PING).await?;
        ana.hears(json!({ "type": "pong" })).await?;
    }

    ana.is_closed(4011, "idle").await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_chats_stays() -> Check {
    let server = serve(talkative());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    ana.hears_nothing_for(9 * ONE_MINUTE).await?;
    ana.says(r#"{"type":"chat","content":"Still here."}"#).await?;
    ana.hears(chat_from("ana", "Still here.")).await?;

    ana.hears_nothing_for(5 * ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_while_the_server_writes_is_in_time() -> Check {
    // Without an order, `select!` chooses at random. So we try it often.
    for _ in 0..20 {
        let (_server, mut ana, mut ben) = ana_and_ben().await?;
        ben.stops_reading();
        ana.hears_nothing_for(PING_INTERVAL + 2 * SECOND).await?;
        let more_than_a_connection_holds =
            json!({ "type": "chat", "content": "x".repeat(2_000) });

        for _ in 0..12 {
            ana.says(more_than_a_connection_holds.to_string()).await?;
            ana.hears_any().await?;
        }
        ana.hears_nothing_for(2 * SECOND).await?;
        ben.says(PING).await?;
        ana.hears_nothing_for(PONG_TIMEOUT - 7 * SECOND / 2).await?;
        ben.reads_again();

        ana.hears_nothing_for(SECOND).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_server_everybody_has_time_to_answer() -> Check {
    let (_server, mut ana, mut ben) = ana_and_ben().await?;

    advance(ONE_MINUTE).await;

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ben.says(PING).await?;
    ben.hears(json!({ "type": "pong" })).await
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_while_the_server_stood_still_is_in_time() -> Check {
    for _ in 0..20 {
        let (_server, mut ana, mut ben) = ana_and_ben().await?;
        ben.stops_reading();
        ana.hears_nothing_for(PING_INTERVAL + SECOND).await?;
        let answer = async {
            sleep(SECOND).await;
            ben.says(PING).await
        };
        let (answer, ()) = join!(answer, advance(ONE_MINUTE));

        answer?;
        ana.hears_nothing_for(SECOND).await?;
    }
    Ok(())
}
