//! Wrong: a pattern that lets only text through ends the loop at everything else.
//!
//! Refused by step_2_bytes_are_answered_with_their_number:
//! "Ana sends four bytes. The answer is a text with their number. Ana should hear "Bytes: 4", but the connection was lost"

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
    while let Some(Ok(Message::Text(text))) = socket.recv().await {
        if socket.send(Message::text(text.to_uppercase())).await.is_err() {
            break; // The connection is lost.
        }
    }
}
