//! Lesson 02: how a connection ends.
//!
//! Before: a client left, and the server did not know how, or how many were still there.
//! Now:    each disconnect has a name, the server can close, too, and it keeps count.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. *state*, which all handlers share;
//! 2. a *guard*, a value that cleans up when it is dropped, whatever happened;
//! 3. `Disconnect`, how a connection ended, and the closing *handshake* (`socket.rs`).
//!
//! Run:   cargo run -p lesson_02_disconnect
//! Open:  http://127.0.0.1:8000/lesson_02.html
//! Check: cargo test -p lesson_02_disconnect

mod socket;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade, close_code},
    },
    response::Response,
    routing::{any, get},
};
use tracing::info;

use crate::socket::{Disconnect, close, with_limits};

#[tokio::main]
async fn main() -> io::Result<()> {
    // A thread of its own writes the log, so that the log never holds up the server.
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    axum::serve(listener, app()).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app() -> Router {
    Router::new()
        .route("/ws", any(ws_handler))
        .route("/connections", get(count_connections))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_02.html"))
        .with_state(Count::default())
}

async fn count_connections(State(count): State<Count>) -> String {
    count.load(Ordering::Relaxed).to_string()
}

async fn ws_handler(upgrade: WebSocketUpgrade, State(count): State<Count>) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, count))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket, count: Count) {
    let guard = ConnectionGuard::new(count);
    let disconnect = run(&mut socket).await;

    drop(guard); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(?disconnect, "client disconnected");
}

/// Answers the client, until one of the two ends the connection.
async fn run(socket: &mut WebSocket) -> Disconnect {
    loop {
        let reply = match socket.recv().await {
            Some(Ok(Message::Text(text))) if text == "bye" => {
                return Disconnect::ByUs(close_code::NORMAL, "Goodbye!");
            }
            Some(Ok(Message::Text(text))) => Message::text(format!("Echo: {text}")),
            Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => {
                return Disconnect::ByClient(frame.map(|frame| frame.code));
            }
            Some(Err(_)) | None => return Disconnect::Lost,
        };

        if socket.send(reply).await.is_err() {
            return Disconnect::Lost;
        }
    }
}

/// How many clients are connected right now. All clones share one number.
type Count = Arc<AtomicUsize>;

/// Counts as one connection for as long as it lives.
///
/// Why not subtract one after the loop? A `return` or a panic would skip that line.
struct ConnectionGuard(Count);

impl ConnectionGuard {
    fn new(count: Count) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
