//! How often one person may connect: the others receive each join and each leave.

use std::time::Duration;

use axum::http::Request;
use probe::{Check, Hint, Server, serve};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    super::{
        app, app_with,
        people::{at_least_one, config, path, token},
    },
    PING, SECOND, joined, left, pong,
};
use crate::config::Config;

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

/// Finding A7: one person joined 9,758 times a second. To connect counts as two messages,
/// because a room receives two: so it is ten times at once, and then five times a second.
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

    let sentence = json!({ "message": "Too many requests. Try again in 1 s." });
    assert_eq!(answer.body, sentence.to_string(), "a sentence for people");
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
    let server = serve(app());
    let origin = [("origin", "http://evil.example")];
    for _ in 0..20 {
        server.rejects("Eve", "/ws/chat/rust?token=ana", 401).await?;
        server.rejects_with("Eve", &path("rust", "ana"), &origin, 403).await?;
    }

    for _ in 0..10 {
        server.connect("Ana", &path("rust", "ana")).await?.leaves().await?;
    }
    Ok(())
}

/// Finding A8: after a hundred refusals the limiter answers in another way, and that must
/// not let anything pass.
#[tokio::test(start_paused = true)]
async fn whatever_is_too_fast_is_refused_however_often_it_comes() -> Check {
    let server = serve(app_with(Config {
        changes_per_second: at_least_one(1),
        change_burst: at_least_one(3),
        reads_per_second: at_least_one(1),
        read_burst: at_least_one(3),
        messages_per_second: at_least_one(1),
        message_burst: at_least_one(3),
        ..config()
    }));
    let bearer = format!("Bearer {}", token("ana"));
    let requests =
        [("GET", "/api/v1/users"), ("DELETE", "/api/v1/users/1"), ("DELETE", "/tasks/1")];

    for (method, path) in requests {
        let mut statuses = Vec::new();
        for _ in 0..120 {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("authorization", &bearer).body(String::new());
            let request = request.map_err(|error| Hint::new(error.to_string()))?;
            statuses.push(server.request(request).await?.status.as_u16());
        }
        let first = statuses.iter().position(|&status| status == 429);
        let refused = statuses.iter().filter(|&&status| status == 429).count();
        let first = first.unwrap_or(120);
        assert!(first <= 3, "only three at once, but {first} passed: {method} {path}");
        assert_eq!(refused, 120 - first, "and no other passes: {method} {path}");
    }
    let path = path("rust", "ana");
    server.connect("Ana", &path).await?.leaves().await?;
    for _ in 0..120 {
        server.rejects("Ana", &path, 429).await?;
    }
    Ok(())
}
