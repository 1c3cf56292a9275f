use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use probe::{Check, Client, Server, serve, serve_tcp};

use super::{ConnectionGuard, app};

// What every server of the course does. The probe has these tests, in
// `lessons/probe/src/conformance.rs`.
probe::conformance! { app(), "/ws" =>
    a_clean_close_is_answered,
    nothing_harmless_disconnects,
    unfinished_fragments_cost_bounded_memory,
    unread_pongs_cost_bounded_memory,
    it_works_over_tcp,
}

// The conversations of the book, in `book/transcripts`.
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
    counts(&server, 2, "Ana and Ben are connected").await?;

    ana.leaves().await?;
    counts(&server, 1, "Ana has closed her connection").await?;
    ben.vanishes().await;

    counts(&server, 0, "Ben's connection is lost").await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_our_close_is_no_longer_counted() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    ana.stops_reading();

    ana.says("bye").await?;
    ana.hears_nothing_for(Duration::from_millis(1)).await?;

    counts(&server, 0, "Ana's connection is closing, so she no longer counts").await
}

#[tokio::test(start_paused = true)]
async fn after_a_protocol_violation_a_client_is_no_longer_counted() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.writes_raw(b"this is no frame").await?;
    ana.finds_the_connection_lost().await?;

    counts(&server, 0, "Ana's connection is dropped").await
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
    counts(&server, 1, "Ana has reset her connection, and Ben is connected").await
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_task_panics_is_no_longer_counted() {
    let count = Arc::new(AtomicUsize::new(0));
    let guard = ConnectionGuard::new(Arc::clone(&count));
    assert_eq!(count.load(Ordering::Relaxed), 1, "the client is counted");

    let task = tokio::spawn(async move {
        let _guard = guard;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    let now = count.load(Ordering::Relaxed);
    assert_eq!(now, 0, "the guard is dropped by the panic, too");
}

async fn heard_back(client: &mut Client) -> Check {
    client.says("hello").await?;
    client.hears("Echo: hello").await
}

async fn counts(server: &Server, expected: usize, reason: &str) -> Check {
    let response = server.get("/connections").await?;
    assert_eq!(response.body, expected.to_string(), "{reason}");
    Ok(())
}
