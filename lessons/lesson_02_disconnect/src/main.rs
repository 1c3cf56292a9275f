//! Lesson 02: how a connection ends.
//!
//! Before: a client left, and the server did not know how, or how many were still there.
//! Now:    each disconnect has a name, the server can close, too, and it keeps count.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a log, written with `tracing`, which may never hold up the server;
//! 2. a *guard*, a value that cleans up when it is dropped, whatever happened;
//! 3. `Disconnect`, the ways in which a connection ends, and the closing *handshake*
//!    (`socket.rs`).
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
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{any, get},
};
use tracing::info;

use crate::socket::{Disconnect, close, with_limits};

/// The longest message that we accept, in bytes. A longer one ends the connection.
const MAX_MESSAGE_SIZE: usize = 64 * 1024;

#[tokio::main]
async fn main() -> io::Result<()> {
    // Why not `println!`? It panics when nobody can read the output any more, and waits
    // when nobody does. This log is written by a thread of its own.
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
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(Connections::default())
}

async fn count_connections(State(connections): State<Connections>) -> String {
    connections.count.load(Ordering::Relaxed).to_string()
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    State(connections): State<Connections>,
) -> Response {
    with_limits(upgrade, MAX_MESSAGE_SIZE)
        .on_upgrade(|socket| handle_socket(socket, connections))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket, connections: Connections) {
    let guard = connections.connect();
    let disconnect = run(&mut socket).await;

    drop(guard); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!("client disconnected: {disconnect}");
}

/// Answers the client, until one of the two ends the connection.
async fn run(socket: &mut WebSocket) -> Disconnect {
    loop {
        let reply = match socket.recv().await {
            Some(Ok(Message::Text(text))) if text == "bye" => {
                return Disconnect::GOODBYE;
            }
            Some(Ok(Message::Text(text))) => Message::text(format!("Echo: {text}")),
            Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => return Disconnect::ByClient(frame),
            Some(Err(error)) => return error.into(),
            None => return Disconnect::Lost,
        };

        if let Err(error) = socket.send(reply).await {
            return error.into();
        }
    }
}

/// How many clients are connected right now.
///
/// This is only a handle. Clone it freely: all clones share one count.
#[derive(Clone, Default)]
struct Connections {
    count: Arc<AtomicUsize>,
}

impl Connections {
    fn connect(&self) -> ConnectionGuard {
        self.count.fetch_add(1, Ordering::Relaxed);
        ConnectionGuard { connections: self.clone() }
    }
}

/// Counts as one connection for as long as it lives.
///
/// Why not subtract one after the loop? We would forget it the day that somebody
/// adds a `return`, and a panic would skip it. `drop` runs in both cases.
struct ConnectionGuard {
    connections: Connections,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
