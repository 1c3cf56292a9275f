//! A wrong way: `select!` drops a future that has already taken one message of two.

use std::time::Duration;

use axum::{
    Router,
    extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    routing::any,
};
use tokio::{select, time::sleep};

pub fn app() -> Router {
    Router::new().route(
        "/ws",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(handle_socket) }),
    )
}

async fn handle_socket(mut socket: WebSocket) {
    loop {
        let reply = select! {
            pair = recv_pair(&mut socket) => match pair {
                Some((name, text)) => format!("{name} says: {text}"),
                None => return,
            },
            () = sleep(Duration::from_secs(1)) => "Nothing new.".into(),
        };
        if socket.send(Message::text(reply)).await.is_err() {
            return;
        }
    }
}

/// Receives two messages that belong together: a name, and then a text.
async fn recv_pair(socket: &mut WebSocket) -> Option<(Utf8Bytes, Utf8Bytes)> {
    let Some(Ok(Message::Text(name))) = socket.recv().await else { return None };
    let Some(Ok(Message::Text(text))) = socket.recv().await else { return None };
    Some((name, text))
}
