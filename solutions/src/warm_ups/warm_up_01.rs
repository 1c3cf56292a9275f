//! Warm-up for lesson 01: capitals and counts, solved.

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
        // Why no `_` arm? If axum adds a kind of message, the compiler asks us what to do
        // with it.
        let reply = match message {
            // Not `to_ascii_uppercase`: it leaves the é of "café" as it is.
            Message::Text(text) => Message::text(text.to_uppercase()),
            Message::Binary(bytes) => Message::text(format!("Bytes: {}", bytes.len())),
            // The library answers pings and Closes, but only while we call `recv`. So the
            // loop goes on, also after a Close.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };

        if socket.send(reply).await.is_err() {
            break; // The connection is lost.
        }
    }
}
