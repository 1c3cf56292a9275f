//! How often one person may connect: the others receive each join and each leave.

use std::time::Duration;

use probe::{Check, Hint, Server, serve};
use tokio::time::{Instant, sleep};

use super::{PING, SECOND, app, app_with, joined, left, people::path, pong};

/// Ana joins and leaves, as often as she can. Returns how often she was let in.
async fn joins_and_leaves_for(server: &Server, time: Duration) -> Result<usize, Hint> {
    let (start, mut joins) = (Instant::now(), 0);
    while start.elapsed() < time {
        match server.connect("Ana", &path("rust", "ana")).await {
            Ok(ana) => {
                joins += 1;
                ana.leaves().await?;
            }
            Err(_) => sleep(SECOND / 10).await,
        }
    }
    Ok(joins)
}

#[tokio::test(start_paused = true)]
async fn joining_and_leaving_has_the_rate_of_the_person() -> Check {
    let server = serve(app());
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;

    let joins = joins_and_leaves_for(&server, 10 * SECOND + SECOND * 3 / 20).await?;

    assert_eq!(joins, 10 + 5 * 10, "ten at once, and then five a second for ten seconds");
    let heard = ben.hears_out(SECOND).await;
    for message in [joined("ana"), left("ana")] {
        let message = message.to_string();
        let count = heard.iter().filter(|text| **text == message).count();
        assert_eq!(count, joins, "Ben receives each {message}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_comes_too_early_gets_429_and_a_sentence() -> Check {
    let server = serve(app());
    for _ in 0..10 {
        server.connect("Ana", &path("rust", "ana")).await?.leaves().await?;
    }

    let answer = server.rejects("Ana", &path("rust", "ana"), 429).await?;

    let sentence = "Too many requests. Try again in 1 s.";
    assert_eq!(answer.body, sentence, "a sentence for people");
    assert_eq!(answer.headers["retry-after"], "1", "a program knows when, too");
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    sleep(SECOND).await;
    server.connect("Ana", &path("rust", "ana")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn connections_and_messages_share_one_rate() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..17 {
        ana.says(PING).await?;
    }

    server.rejects("Ana", &path("tea", "ana"), 429).await?; // She has one message left.
    for _ in 0..17 {
        ana.hears(pong()).await?;
    }
    ana.says(PING).await?;
    ana.hears(pong()).await
}

/// A stranger, or a page of one, does not use up the rate of the person it claims to be.
#[tokio::test(start_paused = true)]
async fn only_upgrades_of_the_person_count() -> Check {
    let server = serve(app_with(10, 2));
    let origin = [("origin", "http://evil.example")];
    for _ in 0..20 {
        server.rejects("Eve", "/ws/chat/rust?token=ana", 401).await?;
        server.rejects_with("Eve", &path("rust", "ana"), &origin, 403).await?;
        server.rejects("Ana", &path("no%20room", "ana"), 400).await?;
    }

    server.connect("Ana", &path("rust", "ana")).await?.leaves().await
}

/// After a hundred refusals the limiter answers in another way, and that must not let
/// anything pass.
#[tokio::test(start_paused = true)]
async fn an_upgrade_is_refused_however_often_it_comes() -> Check {
    let server = serve(app_with(1, 3));
    let path = path("rust", "ana");
    server.connect("Ana", &path).await?.leaves().await?;

    for _ in 0..120 {
        server.rejects("Ana", &path, 429).await?;
    }
    Ok(())
}
