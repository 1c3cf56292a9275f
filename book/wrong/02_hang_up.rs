//! A wrong way: it hears a Close, and hangs up before the answer has left.

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};

pub fn app() -> Router {
    Router::new().route(
        "/ws",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(serve_client) }),
    )
}

async fn serve_client(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Close(_) = message {
            return;
        }
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
