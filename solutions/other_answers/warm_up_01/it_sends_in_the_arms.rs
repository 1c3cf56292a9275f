//! Another right answer: each arm sends by itself, and the value of the `match` is whether
//! it succeeded.

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
        let sent = match message {
            Message::Text(text) => socket.send(text.to_uppercase().into()).await,
            Message::Binary(bytes) => {
                socket.send(format!("Bytes: {}", bytes.len()).into()).await
            }
            // Our own pong takes the place of the library's, and is the same.
            Message::Ping(payload) => socket.send(Message::Pong(payload)).await,
            Message::Pong(_) | Message::Close(_) => Ok(()),
        };

        if sent.is_err() {
            return;
        }
    }
}
