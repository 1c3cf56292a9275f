//! Lesson 03: a list of everyone who is connected.
//!
//! Before: each client had a task of its own, and no task could reach another's client.
//! Now:    the tasks share one list, so a message can reach the other clients.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. the *outbox*, a bounded queue of messages that wait for one client;
//! 2. `select!`, which waits for the socket and for the outbox at once;
//! 3. `ConnectionManager`, the list of all outboxes (`connection_manager.rs`).
//!
//! Run:   cargo run -p lesson_03_connection_manager
//! Open:  http://127.0.0.1:8000/lesson_03.html in two windows
//! Check: cargo test -p lesson_03_connection_manager

mod connection_manager;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use tokio::select;
use tracing::info;

use crate::{
    connection_manager::{Connection, ConnectionManager, OUTBOX_SIZE},
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
        .route("/ws", any(ws_handler))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_03.html"))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    State(manager): State<ConnectionManager>,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, manager))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket, manager: ConnectionManager) {
    let mut connection = manager.connect();
    let id = connection.id;
    manager.send_personal(id, format!("You are client {id}."));
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
        // We cannot know what happens next: our client may send something, or another
        // task may have a message for our client. So we wait for both.
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
