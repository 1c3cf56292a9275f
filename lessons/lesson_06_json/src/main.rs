//! Lesson 06: messages with a shape.
//!
//! Before: a message was a line of text, and its meaning was in the reader's head.
//! Now:    a message is a JSON object with a `type`, and a mistake gets an answer.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Username`, a type that only good names can have (`protocol.rs`);
//! 2. `FromClient` and `ToClient`, all that the two sides may say (`protocol.rs`);
//! 3. the error message: whoever sends nonsense is told so, and stays.
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
    client::serve_client, connection_manager::ConnectionManager, protocol::Username,
    socket::sized,
};

/// What the line carries, in bytes. A longer message ends the connection.
///
/// It is twice what the protocol allows, so that somebody who is a little over the limit
/// gets an answer and can go on.
const LINE_LIMIT: usize = 64 * 1024;

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
        .route("/ws/{username}", any(open_socket))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn open_socket(
    Path(username): Path<Username>,
    State(manager): State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    sized(upgrade, LINE_LIMIT)
        .on_upgrade(|socket| serve_client(socket, manager, username))
}

#[cfg(test)]
mod tests;
