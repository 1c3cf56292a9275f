//! Lesson 04: who are you? The path says it.
//!
//! Before: the server numbered its clients, and each visit got another number.
//! Now:    the client brings its own id, as in `/ws/7`, and keeps it.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Path`, a typed piece of the URL;
//! 2. a *refusal*: an HTTP status and a sentence, and no WebSocket at all;
//! 3. a list whose places are chosen by clients, so that two may want the same one.
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
    client::serve_client,
    connection_manager::{ClientId, ConnectionManager},
    socket::sized,
};

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
        .route("/ws/{client_id}", any(open_socket))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn open_socket(
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
        let sentence = format!("Client {id} is here already. Choose another id.");
        return (StatusCode::CONFLICT, sentence).into_response();
    };

    sized(upgrade, MESSAGE_LIMIT).on_upgrade(|socket| serve_client(socket, connection))
}

#[cfg(test)]
mod tests;
