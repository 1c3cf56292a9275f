//! Lesson 01: an echo server.
//!
//! Before: HTTP, where the client asks, the server answers, and that is all.
//! Now:    a connection that stays open, on which both may speak at any time.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. the *upgrade*, an HTTP request that becomes a WebSocket;
//! 2. `recv` and `send`, which carry one message each;
//! 3. `Message`, the five kinds of message that there are.
//!
//! Run:   cargo run -p lesson_01_echo
//! Open:  http://127.0.0.1:8000/lesson_01.html
//! Check: cargo test -p lesson_01_echo

mod socket;

use std::io;

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};

use crate::socket::with_limits;

#[tokio::main]
async fn main() -> io::Result<()> {
    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    axum::serve(listener, app()).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app() -> Router {
    Router::new()
        // Why `any` and not `get`? Over HTTP/2 an upgrade is not a GET request.
        .route("/ws", any(ws_handler))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_01.html"))
}

async fn ws_handler(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(handle_socket)
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let reply = match message {
            Message::Text(text) => Message::text(format!("Echo: {text}")),
            Message::Binary(bytes) => Message::Binary(bytes),
            // The library answers a ping for us, and we expect no pong.
            Message::Ping(_) | Message::Pong(_) => continue,
            // Why not `break`? The library answers a Close, too, but only while we read.
            // If we stopped here, the connection would be dropped without an answer, and
            // the client would see an abnormal closure (1006). After the answer, `recv`
            // returns `None`.
            Message::Close(_) => continue,
        };

        if socket.send(reply).await.is_err() {
            break; // The connection is lost.
        }
    }
}

#[cfg(test)]
mod tests;
