use std::{iter, time::Duration};

use axum::extract::ws::Utf8Bytes;
use probe::{Check, ONE_MINUTE, chat::Chat, conformance::masked, serve};

use super::app;
use crate::connection_manager::{Connection, ConnectionManager};

// What every server of the course does. The probe has these tests, in
// `lessons/probe/src/conformance.rs`.
probe::conformance! { app(), "/ws" =>
    a_clean_close_is_answered,
    nothing_harmless_disconnects,
    unfinished_fragments_cost_bounded_memory,
    unread_pongs_cost_bounded_memory,
    it_works_over_tcp,
}

// What every chat of the course does (`lessons/probe/src/chat.rs`).
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_slow_client_harms_only_itself,
    a_client_that_never_reads_again_is_disconnected,
    a_crowd_that_stalls_at_once_disconnects_nobody_else,
    a_crowd_that_is_lost_at_once_disconnects_nobody_else,
}

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app,
        names: ["1", "2", "3"],
        path: |_| "/ws".into(),
        says: |text| text.into(),
        said: |name, text| format!("Client {name}: {text}").into(),
        left: |name| format!("Client {name} left.").into(),
        hears_itself: false,
        crowd: |i| (i + 4).to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_learns_its_number() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let mut ben = server.connect("Ben", "/ws").await?;

    ana.hears("You are client 1.").await?;
    ben.hears("You are client 2.").await
}

#[tokio::test(start_paused = true)]
async fn the_others_receive_who_joins_and_who_leaves() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let mut ben = server.connect("Ben", "/ws").await?;
    ana.hears("You are client 1.").await?;
    ben.hears("You are client 2.").await?;

    ana.hears("Client 2 joined.").await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.leaves().await?;

    ana.hears("Client 2 left.").await
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_come_back_to_its_sender() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    ana.hears("You are client 1.").await?;
    let mut ben = server.connect("Ben", "/ws").await?;
    ana.hears("Client 2 joined.").await?;
    ben.hears("You are client 2.").await?;

    ana.says("hi").await?;

    ben.hears("Client 1: hi").await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_half_received_is_not_lost_when_another_is_sent() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    ana.hears("You are client 1.").await?;
    let mut ben = server.connect("Ben", "/ws").await?;
    ana.hears("Client 2 joined.").await?;
    ben.hears("You are client 2.").await?;
    let frame = masked(0x81, b"still here?");
    let (half, rest) = frame.split_at(frame.len() / 2);

    ana.writes_raw(half).await?;
    ben.says("hi").await?;
    ana.hears("Client 2: hi").await?;
    ana.writes_raw(rest).await?;

    ben.hears("Client 1: still here?").await
}

#[tokio::test(start_paused = true)]
async fn while_a_write_waits_for_a_client_its_messages_are_not_read() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let mut ben = server.connect("Ben", "/ws").await?;
    ana.hears("You are client 1.").await?;
    ana.hears("Client 2 joined.").await?;
    ben.stops_reading();
    for _ in 0..20 {
        ana.says("a long story ".repeat(200)).await?;
    }

    ben.says("Wait!").await?;

    ana.hears_nothing_for(Duration::from_secs(9)).await?;
    ben.reads_again();
    ana.hears("Client 2: Wait!").await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_for_ten_seconds_has_left() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let mut ben = server.connect("Ben", "/ws").await?;
    ana.hears("You are client 1.").await?;
    ana.hears("Client 2 joined.").await?;

    ben.stops_reading();
    for _ in 0..20 {
        ana.says("a long story ".repeat(200)).await?;
    }

    ana.hears_nothing_for(Duration::from_secs(9)).await?;
    ana.hears("Client 2 left.").await
}

#[tokio::test(start_paused = true)]
async fn a_number_is_never_given_twice() -> Check {
    let server = serve(app());
    server.connect("Ana", "/ws").await?.leaves().await?;

    let mut ben = server.connect("Ben", "/ws").await?;

    ben.hears("You are client 2.").await
}

#[tokio::test(start_paused = true)]
async fn a_personal_message_reaches_one_client() {
    let manager = ConnectionManager::default();
    let mut ana = manager.connect();
    let ben = manager.connect();
    assert_eq!(queued(&mut ana).as_deref(), Some("Client 2 joined."), "Ben came");

    manager.send_personal(ben.id, "for Ben");
    manager.send_personal(ana.id, "for Ana");

    assert_eq!(queued(&mut ana).as_deref(), Some("for Ana"), "and not Ben's");
    assert_eq!(queued(&mut ana), None, "nothing else is queued for Ana");
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_overtake_the_announcement_of_who_left() {
    let manager = ConnectionManager::default();
    let mut ana = manager.connect();
    drop(manager.connect());

    manager.broadcast("hi", None);
    drop(manager.connect());
    let _dan = manager.connect();

    let queued: Vec<_> = iter::from_fn(|| queued(&mut ana)).collect();
    let expected = [
        "Client 2 joined.",
        "Client 2 left.",
        "hi",
        "Client 3 joined.",
        "Client 3 left.",
        "Client 4 joined.",
    ];
    assert_eq!(queued, expected, "each departure comes before what happened after it");
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_task_panics_has_left() {
    let manager = ConnectionManager::default();
    let mut ana = manager.connect();
    let ben = manager.connect();

    let task = tokio::spawn(async move {
        let _connection = ben;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    tokio::task::yield_now().await; // Now the others are notified.
    assert_eq!(queued(&mut ana).as_deref(), Some("Client 2 joined."), "Ben came");
    assert_eq!(queued(&mut ana).as_deref(), Some("Client 2 left."), "and went");
}

/// The next message that is queued for this client, if there is one.
fn queued(client: &mut Connection) -> Option<Utf8Bytes> {
    client.outbox.try_recv().ok().map(|batch| batch[0].clone())
}
