//! Another right answer: a function without a socket decides what the reply is.
//!
//! It is not `async`, so a test can call it without a connection.

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
        if let Some(text) = reply(message)
            && socket.send(Message::text(text)).await.is_err()
        {
            return;
        }
    }
}

/// What is sent back, if anything.
fn reply(message: Message) -> Option<String> {
    match message {
        Message::Text(text) => Some(text.chars().flat_map(char::to_uppercase).collect()),
        Message::Binary(bytes) => Some(format!("Bytes: {}", bytes.len())),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
    }
}
