//! Lesson 04: path parameters.
//!
//! Before: the server numbered its clients, and each connection got another number.
//! Now:    the client brings its own id, as in `/ws/7`, and keeps it.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Path`, a typed part of the URL;
//! 2. a *rejection*: an HTTP status and a sentence, and no WebSocket at all;
//! 3. ids that clients choose, so that two may want the same one.
//!
//! Run:   cargo run -p lesson_04_path_params
//! Open:  http://127.0.0.1:8000/lesson_04.html in two windows
//! Check: cargo test -p lesson_04_path_params

mod client;
mod connection_manager;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection, ws::WebSocketUpgrade},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};

use crate::{
    client::handle_socket,
    connection_manager::{ClientId, ConnectionManager},
    socket::with_limits,
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
        .route("/ws/{client_id}", any(ws_handler))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    id: Result<Path<ClientId>, PathRejection>,
    State(manager): State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(Path(id)) = id else {
        let sentence = "A client id is a whole number, as in /ws/7.";
        return (StatusCode::BAD_REQUEST, sentence).into_response();
    };

    // Why already here? After the upgrade it is too late for a status.
    let Some(connection) = manager.connect(id) else {
        let sentence = format!("Client {id} is connected already. Choose another id.");
        return (StatusCode::CONFLICT, sentence).into_response();
    };

    with_limits(upgrade, MAX_MESSAGE_SIZE)
        .on_upgrade(|socket| handle_socket(socket, connection))
}

#[cfg(test)]
mod tests;
