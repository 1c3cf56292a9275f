//! A wrong way: whoever talks fast is slowed down, and deafened.

use std::time::Duration;

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use tokio::time::sleep;

pub fn app() -> Router {
    Router::new().route(
        "/ws",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(serve_client) }),
    )
}

async fn serve_client(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            if socket.send(Message::Text(text)).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(100)).await; // Ten in a second, and no more.
        }
    }
}
