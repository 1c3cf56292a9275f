//! Lesson 05: query parameters and a token.
//!
//! Before: everybody could connect, and every client was treated alike.
//! Now:    the query has options, as in `/ws/7?token=…&echo=false`, and a token decides
//!         who may connect.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Query`, the typed options of a URL, with defaults (`query.rs`);
//! 2. an *extractor* of our own: without the token, the handler does not run (`query.rs`);
//! 3. closing after the upgrade, with a code and a reason that a script in a browser can
//!    read.
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
    client::handle_socket,
    connection_manager::{ClientId, ConnectionManager},
    query::{Options, Rejection, ValidToken},
    socket::{Disconnect, NOT_AUTHENTICATED, close, with_limits},
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
        .route("/ws/{client_id}/polite", any(ws_handler_polite))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    _: ValidToken,
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
        let sentence = format!("Client {id} is connected already. Choose another id.");
        return (StatusCode::CONFLICT, sentence).into_response();
    };

    with_limits(upgrade, MAX_MESSAGE_SIZE)
        .on_upgrade(|socket| handle_socket(socket, connection, options))
}

/// Accepts every client, and then closes those that have no token.
///
/// Why? A browser hides the status of a rejected upgrade from scripts. It shows them
/// the code and the reason of a Close.
async fn ws_handler_polite(
    token: Result<ValidToken, Rejection>,
    id: Result<Path<ClientId>, PathRejection>,
    options: Query<Options>,
    manager: State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match token {
        Ok(token) => ws_handler(token, id, options, manager, upgrade).await,
        Err((_, sentence)) => {
            with_limits(upgrade, MAX_MESSAGE_SIZE).on_upgrade(async |socket| {
                let disconnect = Disconnect::ByUs(NOT_AUTHENTICATED, sentence);
                close(socket, &disconnect).await;
            })
        }
    }
}

#[cfg(test)]
mod tests;
