//! Wrong: bytes come back as they are, as in the lesson.
//!
//! Refused by step_2_bytes_are_answered_with_their_number:
//! "should hear "Bytes: 4", but heard 4 bytes."

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
            Message::Text(text) => Message::text(text.to_uppercase()),
            Message::Binary(bytes) => Message::Binary(bytes),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };

        if socket.send(reply).await.is_err() {
            break; // The connection is lost.
        }
    }
}
