//! A wrong way: the wait for a message begins again whenever anything happens.

use std::time::Duration;

use axum::{
    Router,
    extract::{
        Path,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    routing::any,
};
use tokio::{
    select,
    time::{interval, sleep},
};

/// How long a client may send nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A room in which somebody writes every so many seconds.
pub fn app() -> Router {
    Router::new().route(
        "/ws/{seconds}",
        any(|Path(seconds): Path<u64>, upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(move |socket| handle_socket(socket, seconds))
        }),
    )
}

async fn handle_socket(mut socket: WebSocket, seconds: u64) {
    let mut others = interval(Duration::from_secs(seconds));

    loop {
        select! {
            received = socket.recv() => if !matches!(received, Some(Ok(_))) { break },
            _ = others.tick() => {
                if socket.send(Message::text("hello")).await.is_err() { break }
            }
            () = sleep(TIMEOUT) => break, // Nothing has come for so long.
        }
    }
}
