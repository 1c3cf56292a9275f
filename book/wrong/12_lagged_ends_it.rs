//! A wrong way: one buffer for everybody, and whoever falls behind is disconnected without
//! a word.

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use tokio::{
    select,
    sync::broadcast::{Sender, channel},
};

pub fn app() -> Router {
    Router::new().route("/ws", any(ws_handler)).with_state(channel(16).0)
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    State(room): State<Sender<Utf8Bytes>>,
) -> Response {
    upgrade.on_upgrade(|socket| handle_socket(socket, room))
}

async fn handle_socket(mut socket: WebSocket, room: Sender<Utf8Bytes>) {
    let mut messages = room.subscribe();

    loop {
        select! {
            received = socket.recv() => {
                let Some(Ok(message)) = received else { return };
                if let Message::Text(text) = message {
                    let _ = room.send(text); // An error means that nobody is here.
                }
            }
            // The pattern fits only `Ok`, so at the first `Err(Lagged)` the task ends.
            message = messages.recv() => {
                let Ok(text) = message else { return };
                if socket.send(Message::Text(text)).await.is_err() {
                    return;
                }
            }
        }
    }
}
