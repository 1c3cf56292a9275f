//! A wrong way: whoever sends too fast is slowed down, and so is everything else.

use std::time::Duration;

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use tokio::time::sleep;

pub fn app() -> Router {
    Router::new().route("/ws", any(ws_handler))
}

async fn ws_handler(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(handle_socket)
}

async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            if socket.send(Message::Text(text)).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(100)).await; // Ten in a second, and no more.
        }
    }
}
