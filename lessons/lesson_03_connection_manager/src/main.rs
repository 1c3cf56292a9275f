//! Lesson 03: a list of everyone who is connected.
//!
//! Before: each client had a task of its own, and no task could reach another's client.
//! Now:    the tasks share one list, so a message can reach the other clients.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `select!`, which waits for the socket and for the outbox at once (`client.rs`);
//! 2. the *outbox*, a bounded queue of messages that wait for one client;
//! 3. `ConnectionManager`, the list of all outboxes (`connection_manager.rs`).
//!
//! Run:   cargo run -p lesson_03_connection_manager
//! Open:  http://127.0.0.1:8000/lesson_03.html in two windows
//! Check: cargo test -p lesson_03_connection_manager

mod client;
mod connection_manager;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{State, ws::WebSocketUpgrade},
    response::Response,
    routing::any,
};

use crate::{
    client::handle_socket, connection_manager::ConnectionManager, socket::with_limits,
};

/// The longest message that we accept, in bytes. A longer one ends the connection.
const MAX_MESSAGE_SIZE: usize = 64 * 1024;

#[tokio::main]
async fn main() -> io::Result<()> {
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
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    State(manager): State<ConnectionManager>,
) -> Response {
    with_limits(upgrade, MAX_MESSAGE_SIZE)
        .on_upgrade(|socket| handle_socket(socket, manager))
}

#[cfg(test)]
mod tests;
