//! Wrong: a pong ends the connection, because the server has not sent a ping.
//!
//! Refused by step_4_a_ping_is_answered_by_the_library_alone:
//! "Ana sends a pong that nobody has asked for"

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
            Message::Binary(bytes) => Message::text(format!("Bytes: {}", bytes.len())),
            Message::Close(_) => continue,
            Message::Ping(_) => continue,
            Message::Pong(_) => break,
        };

        if socket.send(reply).await.is_err() {
            break; // The connection is lost.
        }
    }
}
