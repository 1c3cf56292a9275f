//! Wrong: the word of the lesson's echo still stands in front of each text.
//!
//! Refused by step_1_a_text_comes_back_in_capitals:
//! "should hear "IS ANYBODY HERE?", but heard "Echo: IS ANYBODY HERE?""

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};

use crate::socket::with_limits;

pub fn router() -> Router {
    Router::new().route("/warm_up_01/ws", any(ws_handler))
}

async fn ws_handler(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(handle_socket)
}

async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let reply = match message {
            Message::Text(text) => {
                Message::text(format!("Echo: {}", text.to_uppercase()))
            }
            Message::Binary(bytes) => Message::text(format!("Bytes: {}", bytes.len())),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };

        if socket.send(reply).await.is_err() {
            break; // The connection is lost.
        }
    }
}
