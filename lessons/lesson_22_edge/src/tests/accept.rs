//! Connections that are no WebSocket: how long they last, and how many there may be.

use std::{sync::Arc, time::Duration};

use probe::{
    Check, ONE_MINUTE,
    json::{chat_of, joined},
    upgrade_request,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use super::{SECOND, limits, people::path, serve_as_main};
use crate::accept::HttpLimits;

const REQUEST: &str = "GET /rooms HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";

/// Half a body of the length that it announces.
const HALF_A_LOGIN: &str = "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
    Content-Type: application/json\r\nContent-Length: 60\r\n\r\n{\"username\":";

fn is_about(duration: Duration, expected: Duration) -> bool {
    duration >= expected && duration < expected + SECOND
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_disconnected() -> Check {
    let server = serve_as_main(limits());

    let silent = server.opens_a_connection("").await?;

    let open = silent.is_closed().await?;
    assert!(is_about(open, 5 * SECOND), "HEADER_TIMEOUT is 5 s: {open:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_in_tiny_pieces_has_no_more_time() -> Check {
    let server = serve_as_main(limits());
    let mut slow = server.opens_a_connection("GET / HTTP/1.1\r\n").await?;

    for _ in 0..4 {
        sleep(SECOND).await;
        slow.writes("X-More: 1\r\n").await?;
    }

    let open = slow.is_closed().await?;
    assert!(is_about(open, 5 * SECOND), "no header makes it longer: {open:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_after_a_request_is_disconnected() -> Check {
    let server = serve_as_main(limits());
    let mut silent = server.opens_a_connection(REQUEST).await?;

    let answer = silent.hears_out(SECOND).await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "the request is answered: {answer:?}");
    let open = silent.is_closed().await?;
    assert!(is_about(open, 5 * SECOND), "HEADER_TIMEOUT is 5 s: {open:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_gets_408() -> Check {
    let server = serve_as_main(limits());
    let start = Instant::now();
    let mut slow = server.opens_a_connection(HALF_A_LOGIN).await?;

    let answer = slow.hears_out(11 * SECOND).await;

    assert!(answer.starts_with("HTTP/1.1 408 "), "REQUEST_TIMEOUT is 10 s: {answer:?}");
    let open = slow.is_closed().await?;
    assert!(is_about(open, 10 * SECOND), "and the connection ends: {open:?}");
    assert!(start.elapsed() < 30 * SECOND, "at once");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_again_and_again_is_disconnected_when_the_connection_is_old() -> Check
{
    let server = serve_as_main(limits());
    let mut busy = server.opens_a_connection(REQUEST).await?;

    for _ in 0..15 {
        let answer = busy.hears_out(4 * SECOND).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 "),
            "until then it is served: {answer:?}"
        );
        if busy.writes(REQUEST).await.is_err() {
            break;
        }
    }

    let open = busy.is_closed().await?;
    let is_old = (60 * SECOND..66 * SECOND).contains(&open);
    assert!(is_old, "MAX_CONNECTION_AGE is 60 s: {open:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_read_the_answers_is_cut() -> Check {
    let permits = Arc::new(Semaphore::new(1));
    let server = serve_as_main(HttpLimits { permits: permits.clone(), ..limits() });
    let request = "GET /style.css HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    let _connection = server.opens_a_connection(&request.repeat(100)).await?;

    sleep(59 * SECOND).await;
    assert_eq!(permits.available_permits(), 0, "until then, they may still be read");
    sleep(12 * SECOND).await;
    assert_eq!(permits.available_permits(), 1, "MAX_CONNECTION_AGE, and REQUEST_TIMEOUT");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_websocket_outlives_every_time_out() -> Check {
    let server = serve_as_main(limits());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    ana.hears_nothing_for(5 * ONE_MINUTE).await?;

    let _ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await
}

#[tokio::test(start_paused = true)]
async fn a_websocket_needs_no_permit_of_the_others() -> Check {
    let server =
        serve_as_main(HttpLimits { permits: Arc::new(Semaphore::new(1)), ..limits() });

    let _ana = server.connect("Ana", &path("rust", "ana")).await?;
    let _ben = server.connect("Ben", &path("rust", "ben")).await?;

    assert_eq!(server.get("/rooms").await?.status, 200, "it is a third one");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_port_to_which_nobody_comes_keeps_no_permit_from_the_other() -> Check {
    let limits = HttpLimits { permits: Arc::new(Semaphore::new(1)), ..limits() };
    let (plain, encrypted) = (serve_as_main(limits.clone()), serve_as_main(limits));

    for server in [&plain, &encrypted, &encrypted, &plain] {
        let answer = server.get("/rooms").await?;
        assert_eq!(answer.status, 200, "both ports are served");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_when_all_permits_are_taken_waits_until_one_is_free() -> Check {
    let server = serve_as_main(limits());
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.opens_a_connection("GET / HTTP/1.1\r\n").await?);
    }
    let start = Instant::now();

    let _ana = server.connect("Ana", &path("rust", "ana")).await?;

    let waited = start.elapsed();
    assert!(is_about(waited, 5 * SECOND), "until the silent ones are gone: {waited:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn bytes_that_come_too_fast_wait() -> Check {
    let server = serve_as_main(HttpLimits { bytes_per_second: 1000, ..limits() });
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let start = Instant::now();

    ana.says(chat_of("x".repeat(2000))).await?;
    ana.hears_any().await?;

    let took = start.elapsed();
    assert!(
        took > SECOND && took < 3 * SECOND,
        "2,000 bytes at 1,000 a second: {took:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn half_a_handshake_has_no_more_time_than_any_other_request() -> Check {
    let server = serve_as_main(limits());
    let request = upgrade_request(&path("rust", "ana"));

    let half = server.opens_a_connection(&request[..request.len() - 2]).await?;

    let open = half.is_closed().await?;
    assert!(is_about(open, 5 * SECOND), "it is no WebSocket yet: {open:?}");
    Ok(())
}
