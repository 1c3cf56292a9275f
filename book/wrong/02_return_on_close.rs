//! A wrong way: it returns when a Close comes, before the answer has been sent.

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};

pub fn app() -> Router {
    Router::new().route(
        "/ws",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(handle_socket) }),
    )
}

async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Close(_) = message {
            return;
        }
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
