//! Lesson 07: rooms.
//!
//! Before: every message went to every client.
//! Now:    clients join rooms, and a message goes to the members of one room.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a path with two typed parameters;
//! 2. JSON over plain HTTP, beside the WebSocket;
//! 3. `RoomManager`: rooms that appear and vanish by themselves (`rooms.rs`).
//!
//! Run:   cargo run -p lesson_07_rooms
//! Open:  http://127.0.0.1:8000/lesson_07.html in two windows
//! Check: cargo test -p lesson_07_rooms

mod client;
mod protocol;
mod rooms;
mod socket;

use std::io;

use axum::{
    Json, Router,
    extract::{Path, State, ws::WebSocketUpgrade},
    response::Response,
    routing::{any, get},
};

use crate::{
    client::handle_socket,
    protocol::{RoomName, Username},
    rooms::{RoomManager, RoomSummary},
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
        .route("/ws/chat/{room}/{username}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(RoomManager::default())
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn ws_handler(
    Path((room, username)): Path<(RoomName, Username)>,
    State(rooms): State<RoomManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade, MAX_MESSAGE_SIZE)
        .on_upgrade(|socket| handle_socket(socket, rooms, room, username))
}

#[cfg(test)]
mod tests;
