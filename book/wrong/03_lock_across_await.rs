//! A wrong way: it waits with the lock in hand.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocketUpgrade},
    },
    response::Response,
};
use tokio::sync::mpsc;

type Roster = Arc<Mutex<HashMap<u32, mpsc::Sender<Utf8Bytes>>>>;

async fn open_socket(
    State(roster): State<Roster>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            broadcast(&roster, text).await;
        }
    })
}

async fn broadcast(roster: &Roster, text: Utf8Bytes) {
    let outboxes = roster.lock().expect("no task panics with the lock");
    for outbox in outboxes.values() {
        let _ = outbox.send(text.clone()).await;
    }
}

fn main() {
    let _ = open_socket;
}
