use std::time::Duration;

use axum::extract::ws::CloseFrame;
use probe::{Check, Client, Server, serve, serve_tcp};

use super::{Connections, app};
use crate::socket::Disconnect;

probe::conformance!(app(), "/ws");
probe::transcripts!(app());

#[tokio::test(start_paused = true)]
async fn bye_is_answered_with_a_close() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.says("hello").await?;
    ana.hears("Echo: hello").await?;
    ana.says("bye").await?;

    ana.is_closed(1000, "Goodbye!").await
}

#[tokio::test(start_paused = true)]
async fn binary_comes_back_byte_for_byte() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.sends_binary(&[0, 255]).await?;

    ana.hears_binary(&[0, 255]).await
}

#[tokio::test(start_paused = true)]
async fn connections_counts_everyone_who_is_here() -> Check {
    let server = serve(app());
    let ana = server.connect("Ana", "/ws").await?;
    let ben = server.connect("Ben", "/ws").await?;
    counts(&server, 2).await?;

    ana.leaves().await?;
    counts(&server, 1).await?;
    ben.vanishes().await;

    counts(&server, 0).await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_our_close_is_no_longer_counted() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    ana.stops_reading();

    ana.says("bye").await?;
    ana.hears_nothing_for(Duration::from_millis(1)).await?;

    counts(&server, 0).await
}

#[tokio::test(start_paused = true)]
async fn after_a_protocol_violation_a_client_is_no_longer_counted() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.writes_raw(b"this is no frame").await?;
    ana.is_closed(1002, "protocol error").await?;

    counts(&server, 0).await
}

#[tokio::test]
async fn a_connection_that_is_reset_is_no_longer_counted() -> Check {
    let server = serve_tcp(app()).await?;
    let mut ana = server.connect("Ana", "/ws").await?;
    heard_back(&mut ana).await?;
    let mut ben = server.connect("Ben", "/ws").await?;
    heard_back(&mut ben).await?;

    ana.resets().await?;

    for _ in 0..100 {
        if server.get("/connections").await?.body == "1" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    counts(&server, 1).await
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_task_panics_is_no_longer_counted() {
    let connections = Connections::default();
    let connection = connections.connect();

    let task = tokio::spawn(async move {
        let _connection = connection;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    let count = connections.count.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(count, 0, "the guard is dropped by the panic, too");
}

#[test]
fn the_log_says_how_each_connection_ended() {
    let frame = CloseFrame { code: 1000, reason: "".into() };
    let texts = [
        (Disconnect::ByClient(Some(frame)), "closed by the client with 1000"),
        (Disconnect::ByClient(None), "closed by the client without a code"),
        (Disconnect::Lost, "connection lost"),
        (
            Disconnect::Violation(1002, "protocol error"),
            "protocol violation, closed by us with 1002 (protocol error)",
        ),
        (Disconnect::GOODBYE, "closed by us with 1000 (Goodbye!)"),
    ];

    for (disconnect, sentence) in texts {
        assert_eq!(
            disconnect.to_string(),
            sentence,
            "this is the text for {disconnect:?}"
        );
    }
}

async fn heard_back(client: &mut Client) -> Check {
    client.says("hello").await?;
    client.hears("Echo: hello").await
}

async fn counts(server: &Server, expected: usize) -> Check {
    let response = server.get("/connections").await?;
    assert_eq!(
        response.body,
        expected.to_string(),
        "GET /connections counts who is here"
    );
    Ok(())
}
