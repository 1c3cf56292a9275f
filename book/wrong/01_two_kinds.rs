//! A wrong way: it forgets three of the five kinds of message.

use axum::extract::ws::{Message, WebSocket};

async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let reply = match message {
            Message::Text(text) => Message::text(format!("Echo: {text}")),
            Message::Binary(bytes) => Message::Binary(bytes),
        };

        if socket.send(reply).await.is_err() {
            break;
        }
    }
}

fn main() {
    let _ = handle_socket;
}
