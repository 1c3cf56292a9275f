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

use std::io;

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};

/// The longest message that we accept, in bytes. A longer one ends the connection.
const MESSAGE_LIMIT: usize = 64 * 1024;

/// How much we read from the line, or write to it, at a time, in bytes.
///
/// The library would take 128 KiB for each client. Chat messages are short.
const BUFFER_SIZE: usize = 4 * 1024;

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
        .route("/ws", any(open_socket))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
}

async fn open_socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(BUFFER_SIZE)
        .write_buffer_size(BUFFER_SIZE)
        // What if a client pings and pings, and reads none of our pongs? They
        // wait here. Without this limit they would fill the memory.
        .max_write_buffer_size(2 * MESSAGE_LIMIT)
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        .on_upgrade(serve_client)
}

/// Looks after one client, from its first message to its last.
async fn serve_client(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            Message::Text(text) => Message::text(format!("Echo: {text}")),
            Message::Binary(bytes) => Message::Binary(bytes),
            // The library answers a ping for us, and we expect no pong.
            Message::Ping(_) | Message::Pong(_) => continue,
            // Why not `break`? The library answers a Close too, but only while we
            // listen. Whoever stops here hangs up on a client that waits for the
            // answer. After it, `recv` gives `None`.
            Message::Close(_) => continue,
        };

        if socket.send(answer).await.is_err() {
            break; // It left.
        }
    }
}

#[cfg(test)]
mod tests;
