//! A wrong way: one message that it cannot read, and the conversation is over.

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromClient {
    Chat { content: String },
    Ping,
}

pub fn app() -> Router {
    Router::new().route(
        "/ws",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(serve_client) }),
    )
}

async fn serve_client(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Ok(heard) = serde_json::from_str(&text) else { break };
        let answer = match heard {
            FromClient::Chat { content } => content,
            FromClient::Ping => "pong".into(),
        };
        if socket.send(Message::text(answer)).await.is_err() {
            break;
        }
    }
}
