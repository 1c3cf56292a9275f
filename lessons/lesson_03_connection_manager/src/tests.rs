use axum::extract::ws::Utf8Bytes;
use probe::{Check, ONE_MINUTE, chat::Chat, serve};

use super::app;
use crate::connection_manager::{Connection, ConnectionManager};

probe::conformance!(app(), "/ws");
probe::chat_conformance!(chat(), crowd: |i| (i + 4).to_string());
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
