//! Lesson 06: a protocol in JSON.
//!
//! Before: a message was a line of text, and only people knew what it meant.
//! Now:    a message is a JSON object with a `type`, and a mistake gets an answer.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Username`, a type whose values are valid names (`protocol.rs`);
//! 2. `ClientMessage` and `ServerMessage`, all messages that there are (`protocol.rs`);
//! 3. the error message: bad input is answered, and the connection stays open.
//!
//! Run:   cargo run -p lesson_06_json
//! Open:  http://127.0.0.1:8000/lesson_06.html in two windows
//! Check: cargo test -p lesson_06_json

mod client;
mod connection_manager;
mod protocol;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{Path, State, ws::WebSocketUpgrade},
    response::Response,
    routing::any,
};

use crate::{
    client::handle_socket, connection_manager::ConnectionManager, protocol::Username,
    socket::with_limits,
};

/// The longest message that we accept, in bytes. A longer one ends the connection.
///
/// It is twice what the protocol allows, so that somebody who is a little over that limit
/// gets an error message and can go on.
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
        .route("/ws/{username}", any(ws_handler))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    Path(username): Path<Username>,
    State(manager): State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade, MAX_MESSAGE_SIZE)
        .on_upgrade(|socket| handle_socket(socket, manager, username))
}

#[cfg(test)]
mod tests;
