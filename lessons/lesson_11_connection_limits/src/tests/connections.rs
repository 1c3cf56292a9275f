//! How many WebSockets there may be.

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRef, State},
    response::Response,
    routing::any,
};
use lesson_08_auth::{Auth, Session, SessionUpgrade};
use probe::{Check, Hint, RawConnection, Server, json::PING, serve, upgrade_request};
use tokio::time::{Instant, sleep};

use super::{
    app, app_with, config, configuration,
    people::{auth, path},
};
use crate::{
    config::Config,
    connection_limits::{ConnectionLimits, Rejection},
};

const SECOND: Duration = Duration::from_secs(1);

/// How many bytes that nobody reads a connection of `probe` holds.
const CONNECTION_SIZE: usize = 16 * 1024;

const PONG: &str = r#"{"type":"pong"}"#;

/// A server with so many connections in all, and so many for each person.
fn serve_up_to(max_connections: usize, max_connections_per_user: usize) -> Server {
    let all = Config { max_connections, max_connections_per_user, ..config() };
    serve(app_with(&all))
}

/// A client that asks for a WebSocket in this room, and then does nothing: it answers no
/// Close, either.
pub async fn silent(
    server: &Server,
    room: &str,
    name: &str,
) -> Result<RawConnection, Hint> {
    server.opens_a_connection(&upgrade_request(&path(room, name))).await
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
async fn one_person_cannot_use_up_the_connections_of_all() -> Check {
    let server = serve_up_to(20, 5);
    let mut connections = Vec::new();
    for number in 0..15 {
        connections.push(silent(&server, &format!("r{number}"), "ana").await?);
    }
    sleep(SECOND / 10).await;

    let answer = server.rejects("Ana", &path("rust", "ana"), 429).await?;

    let sentence = "Too many connections of yours. Try again in 10 s.";
    assert_eq!(answer.body, sentence, "the others are not to blame");
    assert_eq!(answer.headers["retry-after"], "10", "a program knows when, too");
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    sleep(2 * SECOND).await;
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    ana.is_closed(1008, "too many connections of yours").await
}

#[tokio::test(start_paused = true)]
async fn one_person_locks_nobody_out_of_a_small_server() -> Check {
    for max_connections in ["4", "10", "16"] {
        let config = configuration::read(&[("MAX_CONNECTIONS", max_connections)]);
        let server = serve(app_with(&config.map_err(Hint::new)?));
        let mut cem = Vec::new();

        // He answers no Close, and tries again each second.
        for _ in 0..3 {
            for number in 0..20 {
                cem.push(silent(&server, &format!("r{number}"), "cem").await?);
            }
            sleep(SECOND / 10).await;
            let ana = server.connect("Ana", &path("rust", "ana")).await;
            let ana = ana.map_err(|hint| {
                Hint::new(format!("of {max_connections} connections: {hint}"))
            });
            ana?.leaves().await?;
            sleep(SECOND).await;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_thousand_attempts_of_one_person_lock_nobody_out() -> Check {
    let server = serve(app());
    let mut eve = Vec::new();
    for number in 0..2_000 {
        eve.push(silent(&server, &format!("r{number}"), "ana").await?);
    }

    let start = Instant::now();
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ben.says(PING).await?;
    ben.hears(PONG).await?;

    assert!(start.elapsed() < SECOND, "Ben has waited for {:?}", start.elapsed());
    let mut answers: Vec<String> = Vec::new();
    for connection in &mut eve {
        let answer = connection.hears_out(Duration::from_millis(1)).await;
        answers.push(answer.get(9..12).unwrap_or_default().into());
    }
    let count = |status| answers.iter().filter(|answer| *answer == status).count();
    assert_eq!(count("101"), 15, "five are let in, and ten more for a moment");
    assert_eq!(count("429"), 1_985, "all the others are refused");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_returned_however_its_connection_ends() -> Check {
    // One permit for all, and one for each: if either is kept, Ana is not let in.
    let server = serve_up_to(1, 1);

    for way in ["a Close", "a lost connection", "a violation", "a message too big"] {
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        ana.says(PING).await?;
        ana.hears(PONG).await.map_err(|hint| Hint::new(format!("{way}: {hint}")))?;
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
async fn a_permit_is_returned_when_the_upgrade_never_happens() -> Check {
    let server = serve_up_to(1, 1);

    // She reads no answer, and after so many the connection has no room for one more: it
    // would be shorter than the one that begins her WebSocket.
    let request = "GET /rooms HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    let answer = server.opens_a_connection(request).await?.hears_out(SECOND).await;
    let requests = request.repeat(CONNECTION_SIZE / answer.len());
    let upgrade = upgrade_request(&path("rust", "ana"));
    let ana = server.opens_a_connection(&(requests + &upgrade)).await?;
    sleep(SECOND).await;
    server.rejects("Ben", &path("rust", "ben"), 503).await?;
    drop(ana);
    sleep(SECOND).await;
    server.rejects("Ana", &path("no%20spaces", "ana"), 400).await?;
    server.rejects("Eve", "/ws/chat/rust", 401).await?;

    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ben.says(PING).await?;
    ben.hears(PONG).await?;
    server.rejects("Ana", &path("rust", "ana"), 503).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_returned_when_the_task_panics() -> Check {
    #[derive(Clone, FromRef)]
    struct Parts {
        limits: ConnectionLimits,
        auth: Auth,
    }
    async fn panics(
        upgrade: SessionUpgrade,
        State(limits): State<ConnectionLimits>,
    ) -> Result<Response, Rejection> {
        let permit = limits.acquire(upgrade.username())?;
        Ok(upgrade.on_upgrade(async move |_: Session| {
            let _permit = permit;
            panic!("as a fault in a handler would");
        }))
    }
    let limits = ConnectionLimits::new(&Config { max_connections: 1, ..config() });
    let app = Router::new().route("/ws/chat/{room}", any(panics));
    let server = serve(app.with_state(Parts { limits, auth: auth() }));

    for _ in 0..3 {
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        ana.finds_the_connection_lost().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_full_server_answers_503_before_the_upgrade() -> Check {
    let server = serve_up_to(2, 2);
    let ana = server.connect("Ana", &path("rust", "ana")).await?;
    let _ben = server.connect("Ben", &path("rust", "ben")).await?;

    let answer = server.rejects("Cem", &path("rust", "cem"), 503).await?;

    let sentence = "There are too many connections. Try again in 10 s.";
    assert_eq!(answer.body, sentence, "a sentence for people");
    assert_eq!(answer.headers["retry-after"], "10", "a program knows when, too");
    assert_eq!(server.get("/rooms").await?.status, 200, "requests are still answered");
    ana.leaves().await?;
    server.connect("Cem", &path("rust", "cem")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn who_is_rejected_keeps_no_connection_open() -> Check {
    let server = serve_up_to(1, 1);
    let _ana = server.connect("Ana", &path("rust", "ana")).await?;

    let mut ben = silent(&server, "rust", "ben").await?;
    let answer = ben.hears_out(SECOND).await;

    let status = answer.lines().next();
    assert_eq!(status, Some("HTTP/1.1 503 Service Unavailable"), "the server is full");
    let open = ben.is_closed().await?;
    assert!(open < SECOND, "his connection was open for {open:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_surplus_connection_keeps_nobody_out_for_long() -> Check {
    let server = serve_up_to(2, 1);
    let _ana = server.connect("Ana", &path("rust", "ana")).await?;

    let _never_answers_the_close = silent(&server, "tea", "ana").await?;
    sleep(SECOND / 2).await;
    server.rejects("Ben", &path("rust", "ben"), 503).await?;

    sleep(SECOND).await;
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await
}
