//! A wrong way: it holds the lock while it waits.

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

type Clients = Arc<Mutex<HashMap<u32, mpsc::Sender<Utf8Bytes>>>>;

async fn ws_handler(
    State(clients): State<Clients>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            broadcast(&clients, text).await;
        }
    })
}

async fn broadcast(clients: &Clients, text: Utf8Bytes) {
    let outboxes = clients.lock().expect("no task panics while it holds the lock");
    for outbox in outboxes.values() {
        let _ = outbox.send(text.clone()).await;
    }
}

fn main() {
    let _ = ws_handler;
}
