//! A wrong way: it ends the connection at the first message that it cannot read.

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Chat { content: String },
    Ping,
}

pub fn app() -> Router {
    Router::new().route(
        "/ws",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(handle_socket) }),
    )
}

async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Ok(received) = serde_json::from_str(&text) else { break };
        let reply = match received {
            ClientMessage::Chat { content } => content,
            ClientMessage::Ping => "pong".into(),
        };
        if socket.send(Message::text(reply)).await.is_err() {
            break;
        }
    }
}
