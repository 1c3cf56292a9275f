//! Lesson 02: how a connection ends.
//!
//! Before: a client left, and nobody could say how, or how many were still there.
//! Now:    every ending has a name, we say goodbye too, and we keep count.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a *guard*, a value that cleans up when it is dropped, whatever happened;
//! 2. the close *handshake*, in which both sides say goodbye (`socket.rs`);
//! 3. `Ending`, the ways in which a conversation can end (`socket.rs`).
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

use crate::socket::{Ending, sized};

/// The longest message that we accept, in bytes. A longer one ends the connection.
const MESSAGE_LIMIT: usize = 64 * 1024;

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
        .route("/ws", any(open_socket))
        .route("/connections", get(count_connections))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(Connections::default())
}

async fn count_connections(State(connections): State<Connections>) -> String {
    connections.count.load(Ordering::Relaxed).to_string()
}

async fn open_socket(
    upgrade: WebSocketUpgrade,
    State(connections): State<Connections>,
) -> Response {
    sized(upgrade, MESSAGE_LIMIT).on_upgrade(|socket| serve_client(socket, connections))
}

/// Looks after one client, from the moment it joins to the moment it leaves.
async fn serve_client(mut socket: WebSocket, connections: Connections) {
    let connection = connections.enter();
    let ending = converse(&mut socket).await;

    println!("A client left: {ending}.");
    drop(connection); // Now, not later: a goodbye can take a while.
    ending.part(socket).await;
}

/// Answers the client, until one of the two ends the conversation.
async fn converse(socket: &mut WebSocket) -> Ending {
    loop {
        let answer = match socket.recv().await {
            Some(Ok(Message::Text(text))) if text == "bye" => return Ending::GOODBYE,
            Some(Ok(Message::Text(text))) => Message::text(format!("Echo: {text}")),
            Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
            Some(Err(error)) => return error.into(),
            None => return Ending::Dropped,
        };

        if let Err(error) = socket.send(answer).await {
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
    fn enter(&self) -> Connection {
        self.count.fetch_add(1, Ordering::Relaxed);
        Connection { connections: self.clone() }
    }
}

/// Counts as one client for as long as it lives.
///
/// Why not subtract one after the loop? We would forget it the day that somebody
/// adds a `return`, and a panic would skip it. Nothing skips `drop`.
struct Connection {
    connections: Connections,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
