//! Lesson 05: options, and a guard at the door.
//!
//! Before: everybody came in, and everybody was treated alike.
//! Now:    the query says how, as in `/ws/7?token=…&echo=false`, and the token who may.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Query`, the typed options of a URL, with defaults (`query.rs`);
//! 2. an *extractor* of our own, which is a guard: without a token, no handler (`query.rs`);
//! 3. the polite refusal, which a script in a browser can read.
//!
//! Run:   cargo run -p lesson_05_query_params
//! Open:  http://127.0.0.1:8000/lesson_05.html in two windows
//! Check: cargo test -p lesson_05_query_params

mod client;
mod connection_manager;
mod query;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{Path, Query, State, rejection::PathRejection, ws::WebSocketUpgrade},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};

use crate::{
    client::serve_client,
    connection_manager::{ClientId, ConnectionManager},
    query::{Guest, Options, Refusal},
    socket::{Ending, NOT_AUTHENTICATED, sized},
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
        .route("/ws/{client_id}/polite", any(open_politely))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn open_socket(
    _: Guest,
    id: Result<Path<ClientId>, PathRejection>,
    Query(options): Query<Options>,
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

    sized(upgrade, MESSAGE_LIMIT)
        .on_upgrade(|socket| serve_client(socket, connection, options))
}

/// Lets everybody in, and then sends those without a token away.
///
/// Why? A browser hides the status of a refused upgrade from scripts. It shows them
/// the code and the reason of a Close.
async fn open_politely(
    guest: Result<Guest, Refusal>,
    id: Result<Path<ClientId>, PathRejection>,
    options: Query<Options>,
    manager: State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match guest {
        Ok(guest) => open_socket(guest, id, options, manager, upgrade).await,
        Err((_, sentence)) => sized(upgrade, MESSAGE_LIMIT)
            .on_upgrade(|socket| Ending::ByUs(NOT_AUTHENTICATED, sentence).part(socket)),
    }
}

#[cfg(test)]
mod tests;
