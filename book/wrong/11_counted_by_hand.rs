//! A wrong way: it counts connections by hand, and forgets four ways in which they end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::Response,
    routing::any,
};

const MAX_CONNECTIONS: usize = 4;

pub type Count = Arc<AtomicUsize>;

pub fn app(count: Count) -> Router {
    Router::new().route("/ws/{name}", any(ws_handler)).with_state(count)
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    Path(name): Path<String>,
    State(count): State<Count>,
) -> Result<Response, StatusCode> {
    if count.fetch_add(1, Relaxed) >= MAX_CONNECTIONS {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    Ok(upgrade.on_upgrade(|socket| handle_socket(socket, name, count)))
}

async fn handle_socket(mut socket: WebSocket, name: String, count: Count) {
    if name.len() > 20 {
        return; // Not a name.
    }
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            let initial = &text[..1]; // Who would send an empty text?
            if socket.send(Message::text(initial)).await.is_err() {
                break;
            }
        }
    }
    count.fetch_sub(1, Relaxed);
}
