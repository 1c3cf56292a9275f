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

mod connection_manager;
mod query;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{
        Path, Query, State,
        rejection::PathRejection,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use tokio::select;
use tracing::info;

use crate::{
    connection_manager::{ClientId, Connection, ConnectionManager, OUTBOX_SIZE},
    query::{Options, Rejection, ValidToken},
    socket::{Disconnect, NOT_AUTHENTICATED, close, send_all, with_limits},
};

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
        .route("/ws/{client_id}", any(ws_handler))
        .route("/ws/{client_id}/polite", any(ws_handler_polite))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_05.html"))
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

    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, connection, options))
}

/// Accepts every client, and then closes those that have no token.
///
/// Why? A browser hides the status of a rejected upgrade from scripts. It shows them the
/// code and the reason of a Close.
async fn ws_handler_polite(
    token: Result<ValidToken, Rejection>,
    id: Result<Path<ClientId>, PathRejection>,
    options: Query<Options>,
    manager: State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match token {
        Ok(token) => ws_handler(token, id, options, manager, upgrade).await,
        Err((_, sentence)) => with_limits(upgrade).on_upgrade(async |socket| {
            let disconnect = Disconnect::ByUs(NOT_AUTHENTICATED, sentence);
            close(socket, &disconnect).await;
        }),
    }
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut socket: WebSocket,
    mut connection: Connection,
    options: Options,
) {
    let id = connection.id;
    connection.manager.send_personal(id, format!("You are client {id}."));
    let disconnect = run(&mut socket, &mut connection, &options).await;

    drop(connection); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(id, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(
    socket: &mut WebSocket,
    connection: &mut Connection,
    options: &Options,
) -> Disconnect {
    let Connection { id, manager, outbox } = connection;
    let exclude = (!options.echo).then_some(*id);
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    manager.broadcast(format!("Client {id}: {text}"), exclude);
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return Disconnect::ByClient(frame.map(|frame| frame.code));
                }
                Some(Err(_)) | None => return Disconnect::Lost,
            },
            count = outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                if let Err(disconnect) = send_all(socket, &mut queued).await {
                    return disconnect;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
