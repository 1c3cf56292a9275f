//! Each metric counts what its name says.

use std::{collections::BTreeMap, future::pending, time::Duration};

use axum::{
    Router, body::Body, http::Request, middleware::from_fn_with_state, routing::post,
};
use probe::{
    Check, Client, Hint, ONE_MINUTE, Server, conformance::masked, json::chat_of, serve,
};
use serde_json::json;
use tokio::{
    spawn,
    time::{Instant, advance, sleep, timeout},
};
use tower::ServiceExt;

use super::{
    app_of,
    people::{at_least_one, config, path, token, username},
    state,
};
use crate::{
    app::AppState,
    config::Config,
    names::RoomName,
    session::Disconnect,
    telemetry::{Connection, Metrics, Socket, measure_lag, observe_requests},
};

const SECOND: Duration = Duration::from_secs(1);

fn server_with(config: Config) -> (Server, AppState) {
    let state = state(&config);
    (serve(app_of(state.clone(), &config)), state)
}

/// A server on which one person may send much.
fn server() -> (Server, Metrics) {
    let (server, state) = server_with(Config {
        messages_per_second: at_least_one(1_000),
        message_burst: at_least_one(1_000),
        outbox_size: 41 * 1_001,
        ..config()
    });
    (server, state.metrics)
}

/// All metrics by their names, with their labels, as they stand in the text.
fn samples(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| line.rsplit_once(' '));
    samples
        .map(|(name, value)| (name.into(), value.parse().unwrap_or(f64::NAN)))
        .collect()
}

fn sample(metrics: &Metrics, name: &str) -> f64 {
    match samples(metrics).get(name) {
        Some(value) => *value,
        None => panic!("there is no {name} in\n{}", metrics.text()),
    }
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

fn ends(cause: &str) -> String {
    format!("chat_disconnects_total{{cause={cause:?}}}")
}

/// Ana and Ben in one room. All announcements were received.
async fn ana_and_ben(server: &Server) -> Result<(Client, Client), Hint> {
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    Ok((ana, ben))
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_while_it_is_open() -> Check {
    let (server, metrics) = server();
    let open = |socket: &str| format!("chat_connections{{socket={socket:?}}}");
    let (ana, ben) = ana_and_ben(&server).await?;
    let live = format!("/api/v1/ws?token={}", token("ana"));
    let live = server.connect("Ana", &live).await?;
    let tasks = format!("/ws/tasks?token={}", token("ana"));
    let tasks = server.connect("Ana", &tasks).await?;

    becomes(&metrics, &open("chat"), 2.0).await?;
    becomes(&metrics, &open("live"), 1.0).await?;
    becomes(&metrics, &open("tasks"), 1.0).await?;
    ana.leaves().await?;
    ben.vanishes().await;
    live.leaves().await?;
    tasks.leaves().await?;

    for socket in ["chat", "live", "tasks"] {
        becomes(&metrics, &open(socket), 0.0).await?;
    }
    becomes(&metrics, &ends("client"), 3.0).await?;
    becomes(&metrics, &ends("lost"), 1.0).await
}

#[tokio::test(start_paused = true)]
async fn ends_are_counted_by_their_cause() -> Check {
    let (server, state) = server_with(config());
    let metrics = &state.metrics;
    let member = async |name| server.connect(name, &path("rust", name)).await;

    let first = member("ana").await?;
    let mut again = member("ana").await?;
    again.is_closed(4009, "this name is taken").await?;
    first.leaves_with(4321, "bye").await?;
    let mut ana = member("ana").await?;
    ana.writes_raw(&masked(0x83, b"")).await?; // There is no such opcode.
    ana.is_closed(1002, "protocol error").await?;
    let mut ana = member("ana").await?;
    ana.writes_raw(&masked(0x81, &[b'x'; 100_000])[..20]).await?; // It is enough.
    ana.is_closed(1009, "message too big").await?;
    let mut ben = member("ben").await?;
    state.shutdown.stop();
    ben.is_closed(1001, "the server is stopping").await?;
    drop(Connection::new(metrics.clone(), Socket::Chat, &username("ana"))); // A panic.

    for (cause, expected) in [
        ("this name is taken", 1.0),
        ("client", 1.0),
        ("protocol error", 1.0),
        ("message too big", 1.0),
        ("the server is stopping", 1.0),
        ("panic", 1.0),
        ("lost", 0.0),
        ("too slow", 0.0),
        ("this server has lost its connection to the others", 0.0),
    ] {
        becomes(metrics, &ends(cause), expected).await?;
    }
    Ok(())
}

/// What appears with its first event was never seen at zero.
#[test]
fn all_causes_are_there_before_the_first_connection() {
    let source = include_str!("../session/socket.rs");
    let constants = source.matches(": Self =").count();

    let by_itself = Disconnect::ALL.len() - 2; // By the client, and lost.
    assert_eq!(by_itself, constants, "each constant of `Disconnect` is in `ALL`");
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_who_answers_and_how() -> Check {
    let (server, state) = server_with(config());
    let sign_in = async |password: &str| {
        let body = format!(r#"{{"username":"ben","password":"{password}"}}"#);
        let request = Request::post("/login").header("content-type", "application/json");
        server.request(request.body(body).expect("a request")).await
    };

    sign_in("ben-likes-jam").await?;
    for _ in 0..6 {
        sign_in("perhaps").await?;
    }
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    server.rejects("Eve", "/ws/chat/a-room-of-hers", 401).await?;
    let foreign = [("origin", "https://example.com")];
    server.rejects_with("Eve", &path("rust", "ana"), &foreign, 403).await?;
    server.get("/api/v1/users/1").await?;
    server.get("/tasks").await?;
    server.get("/rooms").await?;
    server.get("/nothing").await?;
    server.get("/ready").await?;
    ana.hears_nothing_for(SECOND).await?;

    for (route, status, expected) in [
        ("login", "2xx", 1.0),
        ("login", "401", 5.0),
        ("login", "429", 1.0),
        ("login", "gone", 0.0),
        ("socket", "101", 1.0),
        ("socket", "401", 1.0),
        ("socket", "403", 1.0),
        ("api", "401", 2.0),
        ("other", "2xx", 1.0),
        ("other", "4xx", 1.0),
        ("ready", "2xx", 1.0),
    ] {
        let name = format!("chat_requests_total{{route={route:?},status={status:?}}}");
        assert_eq!(sample(&state.metrics, &name), expected, "{name}");
    }
    let time = sample(&state.metrics, r#"chat_request_seconds_count{route="login"}"#);
    assert_eq!(time, 7.0, "and each of them was measured");
    Ok(())
}

/// Somebody who guesses passwords need not wait for the answers. Then hyper drops the handler.
#[tokio::test(start_paused = true)]
async fn a_request_whose_client_is_gone_is_counted() {
    let (_, metrics) = server();
    let app = Router::new()
        .route("/login", post(pending::<()>))
        .layer(from_fn_with_state(metrics.clone(), observe_requests));
    let request = Request::post("/login").body(Body::empty()).expect("a request");

    let answer = timeout(SECOND, app.oneshot(request)).await;

    assert!(answer.is_err(), "it is dropped before there is an answer");
    let gone = r#"chat_requests_total{route="login",status="gone"}"#;
    assert_eq!(sample(&metrics, gone), 1.0, "and counted");
}

/// Who resumes is not refused: what comes too fast waits, and is looked at again.
#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_the_rate_is_counted_once() -> Check {
    let (server, state) = server_with(config());
    let resuming = format!("{}&resume=0", path("rust", "ana"));
    let mut ana = server.connect("Ana", &resuming).await?;

    for _ in 0..60 {
        ana.says(chat_of("hello")).await?;
    }
    sleep(20 * SECOND).await;

    assert_eq!(sample(&state.metrics, "chat_messages_total"), 60.0, "each of them once");
    assert_eq!(sample(&state.metrics, "chat_append_seconds_count"), 60.0, "and kept");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_are_counted_by_their_kind() -> Check {
    let (server, state) = server_with(config());
    let metrics = &state.metrics;
    let data = "chat_messages_total";
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    ana.says(r#"{"type":"ping"}"#).await?;
    ana.sends_binary(b"hello").await?;
    for _ in 0..3 {
        ana.pings(b"").await?;
    }
    becomes(metrics, data, 2.0).await?;
    becomes(metrics, "chat_control_frames_total", 3.0).await?;
    for _ in 0..40 {
        ana.says(chat_of("too fast")).await?;
    }

    becomes(metrics, data, 42.0).await?;
    let refused = sample(metrics, "chat_refused_total");
    assert!((20.0..=40.0).contains(&refused), "most of them, and not {refused}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_chat_is_appended_once_and_delivered_to_each_member() -> Check {
    let (server, metrics) = server();
    let (mut ana, mut ben) = ana_and_ben(&server).await?;
    let before = sample(&metrics, "chat_deliveries_total");
    assert_eq!(sample(&metrics, "chat_joins_total"), 2.0, "Ana and Ben have joined");

    for _ in 0..10 {
        ana.says(chat_of("hello")).await?;
        ana.hears_any().await?;
        ben.hears_any().await?;
    }

    becomes(&metrics, "chat_append_seconds_count", 10.0).await?;
    becomes(&metrics, "chat_deliveries_total", before + 20.0).await
}

#[tokio::test(start_paused = true)]
async fn one_slow_client_is_seen_in_its_writes_and_in_going_on_from_the_log() -> Check {
    let (server, state) = server_with(Config {
        messages_per_second: at_least_one(1_000),
        message_burst: at_least_one(1_000),
        outbox_size: 100,
        ..config()
    });
    let metrics = &state.metrics;
    let (mut ana, mut ben) = ana_and_ben(&server).await?;
    let long = || {
        sample(metrics, "chat_write_wait_seconds_count")
            - sample(metrics, r#"chat_write_wait_seconds_bucket{le="2.5"}"#)
    };
    assert_eq!(long(), 0.0, "everybody reads");

    ben.stops_reading();
    for _ in 0..400 {
        ana.says(chat_of("x".repeat(1_000))).await?;
        ana.hears_any().await?;
    }
    sleep(SECOND).await;
    ben.reads_again();
    while ben.hears_any().await?.contains("xxx")
        && sample(metrics, "chat_behind_total") == 0.0
    {}
    assert!(sample(metrics, "chat_behind_total") > 0.0, "Ben goes on from the log");
    ben.stops_reading();
    for _ in 0..400 {
        ana.says(chat_of("x".repeat(1_000))).await?;
        ana.hears_any().await?;
    }
    sleep(20 * SECOND).await;

    becomes(metrics, &ends("too slow"), 1.0).await?;
    assert_eq!(long(), 1.0, "the write that was given up");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whatever_clients_choose_makes_no_new_series() -> Check {
    let (server, metrics) = server();
    let series = || samples(&metrics).into_keys().collect::<Vec<_>>();
    let before = series();
    assert_eq!(before.len(), 212, "so many, whoever comes");

    for number in 0..100 {
        let room = format!("room-{number}");
        let mut ana = server.connect("Ana", &path(&room, "ana")).await?;
        ana.says(chat_of("hello")).await?;
        ana.hears_any().await?;
        ana.leaves_with(3_000 + number, "").await?;
        server.get(&format!("/api/v1/users/{number}")).await?;
        server.get(&format!("/{number}")).await?;
    }
    for number in 100..10_000 {
        let room = RoomName::try_from(format!("room-{number}")).expect("a good name");
        let mut connection =
            Connection::new(metrics.clone(), Socket::Chat, &username("ana"));
        connection.enters(&room);
        connection.ends(Disconnect::ByClient(None).cause(), Some(number));
    }

    becomes(&metrics, &ends("client"), 10_000.0).await?;
    assert_eq!(series(), before, "there are as many series as in the beginning");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_lag_is_how_late_a_task_wakes_up() {
    let (_, metrics) = server();
    spawn(measure_lag(metrics.clone()));
    sleep(10 * SECOND).await;
    let ticks = sample(&metrics, "chat_runtime_lag_seconds_count");
    assert!((90.0..=100.0).contains(&ticks), "ten in a second, and not {ticks}");

    advance(SECOND).await; // As if a task had blocked the runtime for so long.
    sleep(SECOND / 100).await;

    let late = sample(&metrics, "chat_runtime_lag_seconds_count")
        - sample(&metrics, r#"chat_runtime_lag_seconds_bucket{le="0.5"}"#);
    assert_eq!(late, 1.0, "the task woke up late, once");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_ready_is_healthy() -> Check {
    let (server, state) = server_with(config());

    state.shutdown.stop();

    assert_eq!(server.get("/ready").await?.status, 503, "it should get nobody new");
    let healthy = server.get("/health").await?;
    assert_eq!((healthy.status.as_u16(), &*healthy.body), (200, "healthy"));
    Ok(())
}
