use std::iter;

use axum::extract::ws::Utf8Bytes;
use probe::{Check, ONE_MINUTE, chat::Chat, serve};

use super::app;
use crate::connection_manager::{Connection, ConnectionManager};

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance! { app(), "/ws/7" =>
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
    an_old_connection_does_not_remove_the_new_one,
    a_crowd_that_stalls_at_once_disconnects_nobody_else,
    a_crowd_that_is_lost_at_once_disconnects_nobody_else,
}

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app,
        names: ["7", "8", "4294967295"],
        path: |name| format!("/ws/{name}"),
        says: |text| text.into(),
        said: |name, text| format!("Client {name}: {text}").into(),
        left: |name| format!("Client {name} left.").into(),
        hears_itself: false,
        crowd: |i| (i + 100).to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_client_brings_its_own_id() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/7").await?;
    let mut ben = server.connect("Ben", "/ws/8").await?;

    ana.hears("You are client 7.").await?;
    ana.hears("Client 8 joined.").await?;
    ben.hears("You are client 8.").await?;
    ben.says("hi").await?;

    ana.hears("Client 8: hi").await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_no_number_gets_400_and_a_sentence() -> Check {
    let server = serve(app());

    for id in ["abc", "-1", "1.5", "4294967296", "%20", "7%00", "%F0%9F%A6%80"] {
        let response = server.rejects("Eve", &format!("/ws/{id}"), 400).await?;
        let sentence = "A client id is a whole number, as in /ws/7.";
        assert_eq!(response.body, sentence, "{id} is no client id");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_gets_409_and_a_sentence() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/7").await?;
    ana.hears("You are client 7.").await?;

    let response = server.rejects("Eve", "/ws/7", 409).await?;

    let sentence = "Client 7 is connected already. Choose another id.";
    assert_eq!(response.body, sentence, "the id is in use");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_id_is_free_again_at_once() -> Check {
    let server = serve(app());
    server.connect("Ana", "/ws/7").await?.leaves().await?;
    server.connect("Ana", "/ws/7").await?.vanishes().await;

    let mut ana = server.connect("Ana", "/ws/7").await?;

    ana.hears("You are client 7.").await
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_comes_to_nothing_frees_the_id() {
    let manager = ConnectionManager::default();
    let connection = manager.connect(7);
    assert!(manager.connect(7).is_none(), "the id is in use");

    drop(connection);

    assert!(
        manager.connect(7).is_some(),
        "the closure that held the connection is dropped, and the connection with it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_at_once_has_left_before() {
    let manager = ConnectionManager::default();
    let mut ana = manager.connect(7).expect("nobody has this id");
    drop(manager.connect(8));
    let mut ben = manager.connect(8).expect("the id is free again");

    let expected = ["Client 8 joined.", "Client 8 left.", "Client 8 joined."];
    assert_eq!(queued(&mut ana), expected, "he left before he came back");
    assert_eq!(queued(&mut ben), [""; 0], "nobody is told what he did himself");
}

/// All messages that are queued for this client.
fn queued(client: &mut Connection) -> Vec<Utf8Bytes> {
    iter::from_fn(|| client.outbox.try_recv().ok())
        .flat_map(|batch| batch.to_vec())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_panic_frees_the_id() {
    let manager = ConnectionManager::default();
    let connection = manager.connect(7);

    let task = tokio::spawn(async move {
        let _connection = connection;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    assert!(manager.connect(7).is_some(), "the guard is dropped by the panic, too");
}
