//! How many WebSockets there may be.

use probe::{Check, Hint, serve};
use tokio::time::sleep;

use super::{
    super::{
        app_with,
        people::{at_least_one, config, path, so_many},
    },
    PING, SECOND, pong, upgrade_request,
};
use crate::config::Config;

#[tokio::test(start_paused = true)]
async fn the_sixth_connection_of_a_person_is_closed_with_1008() -> Check {
    let max_connections_per_user = so_many(5);
    let server = serve(app_with(Config { max_connections_per_user, ..config() }));
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
async fn one_person_cannot_use_up_the_connections_of_all() -> Check {
    let config = Config {
        max_connections: so_many(20),
        max_connections_per_user: so_many(5),
        message_burst: at_least_one(40),
        ..config()
    };
    let server = serve(app_with(config));
    let mut silent = Vec::new();
    for number in 0..15 {
        let request = upgrade_request(&path(&format!("r{number}"), "ana"));
        silent.push(server.opens_a_connection(&request).await?); // It answers no Close.
    }
    sleep(SECOND / 10).await;

    let answer = server.rejects("Ana", &path("rust", "ana"), 429).await?;

    let sentence = "Too many connections of yours. Try again in 10 s.";
    assert!(
        answer.body.contains(sentence),
        "the others are not to blame: {}",
        answer.body
    );
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    sleep(2 * SECOND).await;
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    ana.is_closed(1008, "too many connections of yours").await
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_returned_however_its_connection_ends() -> Check {
    // One permit for all, and one for each: if either is kept, Ana is not let in.
    let config = Config {
        max_connections: so_many(1),
        max_connections_per_user: so_many(1),
        ..config()
    };
    let server = serve(app_with(config));

    for way in ["a Close", "a lost connection", "a violation", "a message too big"] {
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        ana.says(PING).await?;
        ana.hears(pong()).await.map_err(|hint| Hint::new(format!("{way}: {hint}")))?;
        server.rejects("Ben", &path("rust", "ben"), 503).await?;
        match way {
            "a Close" => ana.leaves().await?,
            "a lost connection" => ana.vanishes().await,
            "a violation" => {
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
    let server = serve(app_with(Config { max_connections: so_many(2), ..config() }));
    let ana = server.connect("Ana", &path("rust", "ana")).await?;
    let _ben = server.connect("Ben", &path("rust", "ben")).await?;

    let answer = server.rejects("Cem", &path("rust", "cem"), 503).await?;

    assert_eq!(
        answer.body,
        r#"{"message":"There are too many connections. Try again in 10 s."}"#,
        "a sentence for people"
    );
    assert_eq!(answer.headers["retry-after"], "10", "a program knows when, too");
    assert_eq!(server.get("/rooms").await?.status, 200, "requests are still answered");
    ana.leaves().await?;
    server.connect("Cem", &path("rust", "cem")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_surplus_connection_keeps_nobody_out_for_long() -> Check {
    let config = Config {
        max_connections: so_many(2),
        max_connections_per_user: so_many(1),
        ..config()
    };
    let server = serve(app_with(config));
    let _eve = server.connect("Eve", &path("rust", "ana")).await?;

    let request = upgrade_request(&path("tea", "ana"));
    let _never_answers_the_close = server.opens_a_connection(&request).await?;
    sleep(SECOND / 2).await;
    server.rejects("Ben", &path("rust", "ben"), 503).await?;

    sleep(SECOND).await;
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await
}
