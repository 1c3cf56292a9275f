//! Lesson 03: a list of everyone who is connected.
//!
//! Before: each client had a task of its own, and no task knew of another.
//! Now:    the tasks share one list, so a message can reach the other clients.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `select!`, which waits for the socket and for the outbox at once;
//! 2. the *outbox*, a short queue of messages that wait for one client;
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

use crate::{
    connection_manager::{Connection, ConnectionManager, OUTBOX_SIZE},
    socket::{Ending, send_all, sized},
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
        .route("/ws", any(open_socket))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(ConnectionManager::default())
}

async fn open_socket(
    upgrade: WebSocketUpgrade,
    State(manager): State<ConnectionManager>,
) -> Response {
    sized(upgrade, MESSAGE_LIMIT).on_upgrade(|socket| serve_client(socket, manager))
}

/// Looks after one client, from the moment it joins to the moment it leaves.
async fn serve_client(mut socket: WebSocket, manager: ConnectionManager) {
    let mut connection = manager.connect();
    let id = connection.id;
    manager.send_personal(id, format!("You are client {id}."));
    let ending = converse(&mut socket, &mut connection).await;

    println!("Client {id} left: {ending}.");
    drop(connection); // Now, not later: a goodbye can take a while.
    ending.part(socket).await;
}

/// Carries messages both ways, until one of the two ends the conversation.
async fn converse(socket: &mut WebSocket, connection: &mut Connection) -> Ending {
    let Connection {
        id,
        manager,
        outbox,
    } = connection;
    let mut waiting = Vec::new();

    loop {
        // We cannot know what happens next: our client may speak, or another task
        // may have a message for our client. So we wait for both.
        select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    manager.broadcast(format!("Client {id}: {text}"), Some(*id));
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
                Some(Err(error)) => return error.into(),
                None => return Ending::Dropped,
            },
            count = outbox.recv_many(&mut waiting, OUTBOX_SIZE) => {
                if count == 0 {
                    return Ending::TOO_SLOW; // We lost our place in the list.
                }
                if let Err(ending) = send_all(socket, &mut waiting).await {
                    return ending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
