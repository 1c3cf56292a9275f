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

mod connection_manager;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{
        Path, State,
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
    socket::{Disconnect, close, send_all, with_limits},
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
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_04.html"))
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

    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, connection))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket, mut connection: Connection) {
    let id = connection.id;
    connection.manager.send_personal(id, format!("You are client {id}."));
    let disconnect = run(&mut socket, &mut connection).await;

    drop(connection); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(id, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(socket: &mut WebSocket, connection: &mut Connection) -> Disconnect {
    let Connection { id, manager, outbox } = connection;
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    manager.broadcast(format!("Client {id}: {text}"), Some(*id));
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
