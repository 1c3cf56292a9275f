//! How long a connection may take for its requests, before it is a WebSocket.

use std::{ops::RangeBounds, time::Duration};

use probe::{Check, ONE_MINUTE, RawConnection, Server};
use tokio::{
    select,
    time::{Instant, sleep},
};

use super::{
    super::{
        people::{chat_from, config, path, so_many, token},
        serve_as_main,
    },
    SECOND, chat_of, joined,
};
use crate::config::Config;

const HALF: &str = "GET /ws/chat/rust HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n";

const LOG_IN: &str = "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
    Content-Type: application/json\r\nContent-Length: 100\r\n\r\n";

fn serve_on(max_http_connections: usize) -> Server {
    let max_http_connections = so_many(max_http_connections);
    serve_as_main(Config { max_http_connections, ..config() })
}

fn between(time: Duration, seconds: impl RangeBounds<u64>) {
    assert!(seconds.contains(&time.as_secs()), "the connection was open for {time:?}");
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
async fn a_connection_without_another_request_is_cut_off_after_five_seconds() -> Check {
    let server = serve_on(3);
    let mut idle = server.opens_a_connection(&format!("{HALF}\r\n")).await?;
    let answer = idle.hears_out(SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "it had an answer first: {answer}");

    between(idle.is_closed().await?, 5..6);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_reads_no_answers_is_cut_off_after_half_a_minute() -> Check {
    let server = serve_on(3);
    let mut deaf = server.opens_a_connection("").await?;
    let request = "GET /lesson_24.html HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    while deaf.writes(request).await.is_ok() {} // Until the server reads no more.

    sleep(SECOND * 26).await;
    // Were it still open, then we would give it time by reading now.
    between(deaf.is_closed().await?, 36..37);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_request_after_request_has_half_a_minute() -> Check {
    let server = serve_on(3);
    let mut busy = server.opens_a_connection("").await?;
    let request = "GET /rooms HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    while busy.writes(request).await.is_ok() && !busy.hears_out(SECOND).await.is_empty() {
    }

    between(busy.is_closed().await?, 30..33);
    Ok(())
}

/// Otherwise a few hundred clients that send a request now and then, and need no account,
/// would keep everybody else out.
#[tokio::test(start_paused = true)]
async fn when_few_connections_are_left_each_has_one_request() -> Check {
    let server = serve_on(4);
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut early = server.opens_a_connection(&format!("{HALF}\r\n")).await?;
        assert!(!early.hears_out(SECOND / 100).await.is_empty(), "it has its answer");
        open.push(early);
    }

    let mut late = server.opens_a_connection(&format!("{HALF}\r\n")).await?;
    let answer = late.hears_out(SECOND / 100).await;

    assert!(answer.starts_with("HTTP/1.1 401"), "it is answered, too: {answer}");
    assert!(answer.contains("connection: close"), "and told that this was all: {answer}");
    between(late.is_closed().await?, 0..1);
    for early in open {
        between(early.is_closed().await?, 4..6);
    }
    Ok(())
}

/// Sends one blank after the other, until the server has had enough. Returns its answer.
async fn send_a_blank_each_second(slow: &mut RawConnection) -> String {
    let mut answer = String::new();
    for _ in 0..100 {
        if slow.writes(" ").await.is_err() {
            break; // It was cut off.
        }
        answer += &slow.hears_out(SECOND).await;
    }
    answer
}

#[tokio::test(start_paused = true)]
async fn a_body_in_single_bytes_gets_408_after_five_seconds() -> Check {
    let server = serve_on(3);
    let mut slow = server.opens_a_connection(LOG_IN).await?;

    let answer = send_a_blank_each_second(&mut slow).await;

    let is_timeout = answer.starts_with("HTTP/1.1 408 Request Timeout\r\n");
    assert!(is_timeout, "the body has taken too long, but the answer is {answer:?}");
    let sentence = r#"{"message":"The body of the request took too long."}"#;
    assert!(answer.ends_with(sentence), "with a sentence: {answer:?}");
    between(slow.is_closed().await?, 5..7);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_without_another_byte_gets_408_after_five_seconds() -> Check {
    let server = serve_on(3);
    let mut silent = server.opens_a_connection(LOG_IN).await?;

    let answer = silent.hears_out(SECOND * 6).await;

    let is_timeout = answer.starts_with("HTTP/1.1 408 Request Timeout\r\n");
    assert!(is_timeout, "the body has taken too long, but the answer is {answer:?}");
    between(silent.is_closed().await?, 5..6);
    Ok(())
}

/// All that signed-in people may send a body to: live data and tasks.
#[tokio::test(start_paused = true)]
async fn every_endpoint_with_a_body_answers_408_after_five_seconds() -> Check {
    let server = serve_on(10);
    let token = token("ana");
    for endpoint in [
        "POST /api/v1/users",
        "PATCH /api/v1/users/1",
        "POST /api/v1/posts",
        "POST /tasks",
    ] {
        let request = format!(
            "{endpoint} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: 100\r\n\r\n"
        );
        let mut slow = server.opens_a_connection(&request).await?;

        let answer = send_a_blank_each_second(&mut slow).await;

        assert!(
            answer.starts_with("HTTP/1.1 408 "),
            "{endpoint} took too long: {answer:?}"
        );
        between(slow.is_closed().await?, 5..7);
    }
    Ok(())
}

/// The head of a login whose body has no end.
const LOG_IN_WITHOUT_AN_END: &str = "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\
    Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_body_without_an_end_is_cut_off_at_its_limit() -> Check {
    let server = serve_on(3);
    let mut endless = server.opens_a_connection(LOG_IN_WITHOUT_AN_END).await?;
    let start = Instant::now();

    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    let mut sent = 0;
    while endless.writes(&chunk).await.is_ok() && sent < 10_000 {
        sent += 1;
    }
    let answer = endless.hears_out(SECOND).await;

    assert!(
        answer.starts_with("HTTP/1.1 413 "),
        "4 KiB are enough for a login: {answer:?}"
    );
    assert!(sent < 100, "but the server read {sent} KiB");
    assert!(start.elapsed() <= 5 * SECOND, "for {:?}", start.elapsed());
    Ok(())
}

/// Finding A5: 200 slow bodies kept everybody out for 34 seconds.
#[tokio::test(start_paused = true)]
async fn two_hundred_slow_bodies_keep_nobody_out_for_longer_than_their_deadline() -> Check
{
    let server = serve_as_main(config());
    let mut slow = Vec::new();
    for _ in 0..200 {
        slow.push(server.opens_a_connection(LOG_IN).await?);
    }
    let start = Instant::now();
    let writing = async {
        loop {
            for connection in &mut slow {
                let _ = connection.writes(" ").await; // Until it is cut off.
            }
            sleep(SECOND).await;
        }
    };

    let path = path("rust", "ana");
    let ana = select! {
        () = writing => unreachable!("it has no end"),
        ana = server.connect("Ana", &path) => ana?,
    };

    let took = start.elapsed();
    assert!(took < 6 * SECOND, "Ana had to wait for {took:?}");
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_request_in_progress_is_still_answered() -> Check {
    let patient =
        Config { max_http_connections: so_many(3), body_timeout: ONE_MINUTE, ..config() };
    let server = serve_as_main(patient);
    let mut late = server.opens_a_connection(LOG_IN).await?;
    sleep(SECOND * 32).await; // The connection's time is over, but not its last request.

    late.writes(&" ".repeat(100)).await?;

    let answer = late.hears_out(SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "no JSON, but an answer: {answer}");
    between(late.is_closed().await?, 32..34);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_last_request_of_a_connection_has_five_seconds() -> Check {
    let patient =
        Config { max_http_connections: so_many(3), body_timeout: ONE_MINUTE, ..config() };
    let server = serve_as_main(patient);
    let mut slow = server.opens_a_connection(LOG_IN).await?;

    send_a_blank_each_second(&mut slow).await;

    between(slow.is_closed().await?, 35..37);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn with_no_connection_free_a_client_waits_for_five_seconds() -> Check {
    let server = serve_on(3);
    let mut half = vec![
        server.opens_a_connection(HALF).await?,
        server.opens_a_connection("G").await?,
    ];
    let start = Instant::now();
    server.connect("Ana", &path("rust", "ana")).await?.leaves().await?;
    assert!(start.elapsed() < SECOND, "one connection is free, so she gets in at once");

    half.push(server.opens_a_connection("").await?);
    let start = Instant::now();
    let ana = server.connect("Ana", &path("rust", "ana")).await?;

    between(start.elapsed(), 4..6);
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_websocket_outlives_the_deadlines_and_is_no_http_connection() -> Check {
    let server = serve_on(1);
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;

    ana.hears_nothing_for(2 * ONE_MINUTE).await?;

    ben.says(chat_of("Still here?")).await?;
    ana.hears(chat_from("ben", "Still here?")).await
}
