use std::time::Duration;

use axum::extract::ws::CloseFrame;
use probe::{Check, Client, Server, serve, serve_tcp};

use super::{Connections, app};
use crate::socket::Disconnect;

probe::conformance!(app(), "/ws");
probe::transcripts!(app());

#[tokio::test(start_paused = true)]
async fn bye_is_answered_with_goodbye() -> Check {
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
async fn a_client_that_does_not_answer_our_goodbye_is_gone_all_the_same() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    ana.stops_reading();

    ana.says("bye").await?;
    ana.hears_nothing_for(Duration::from_millis(1)).await?;

    counts(&server, 0).await
}

#[tokio::test(start_paused = true)]
async fn a_fault_frees_the_place_at_once() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.writes_raw(b"this is no frame").await?;
    ana.is_closed(1002, "protocol error").await?;

    counts(&server, 0).await
}

#[tokio::test]
async fn a_line_that_is_reset_frees_the_place() -> Check {
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
async fn a_panic_frees_the_place() {
    let connections = Connections::default();
    let connection = connections.enter();

    let task = tokio::spawn(async move {
        let _connection = connection;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    let count = connections.count.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(count, 0, "the guard is dropped by the panic, too");
}

#[test]
fn the_server_says_how_each_client_left() {
    let frame = CloseFrame { code: 1000, reason: "".into() };
    let endings = [
        (Disconnect::ByClient(Some(frame)), "it closed with 1000"),
        (Disconnect::ByClient(None), "it closed without a code"),
        (Disconnect::Lost, "its line dropped"),
        (
            Disconnect::Violation(1002, "protocol error"),
            "it broke the rules: 1002 (protocol error)",
        ),
        (Disconnect::GOODBYE, "we closed with 1000 (Goodbye!)"),
    ];

    for (disconnect, sentence) in endings {
        assert_eq!(disconnect.to_string(), sentence, "the console shows {disconnect:?}");
    }
}

async fn heard_back(client: &mut Client) -> Check {
    client.says("hello").await?;
    client.hears("Echo: hello").await
}

async fn counts(server: &Server, expected: usize) -> Check {
    let answer = server.get("/connections").await?;
    assert_eq!(answer.body, expected.to_string(), "GET /connections counts who is here");
    Ok(())
}
