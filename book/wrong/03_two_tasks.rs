//! A wrong way: one task reads, another writes, and neither learns how the other one ended.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{select, spawn, sync::mpsc};

type Outboxes = Arc<Mutex<Vec<mpsc::Sender<Utf8Bytes>>>>;

/// With `aborts`, the task that ends first ends the other one, too.
pub fn app(aborts: bool) -> Router {
    let ws_handler = async move |upgrade: WebSocketUpgrade,
                                 State(outboxes): State<Outboxes>|
                -> Response {
        upgrade.on_upgrade(move |socket| handle_socket(socket, outboxes, aborts))
    };
    Router::new().route("/ws", any(ws_handler)).with_state(Outboxes::default())
}

async fn handle_socket(socket: WebSocket, outboxes: Outboxes, aborts: bool) {
    let (sender, mut outbox) = mpsc::channel(256);
    outboxes.lock().expect("no task panics with the lock").push(sender);

    let (mut sink, mut stream) = socket.split();
    let mut writer = spawn(async move {
        while let Some(text) = outbox.recv().await {
            if sink.send(Message::Text(text)).await.is_err() {
                return;
            }
        }
    });
    let mut reader = spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message {
                let mut outboxes = outboxes.lock().expect("no task panics with the lock");
                outboxes.retain(|outbox| outbox.try_send(text.clone()).is_ok());
            }
        }
    });

    if aborts {
        select! {
            _ = &mut writer => reader.abort(),
            _ = &mut reader => writer.abort(),
        }
    }
}
