//! Lesson 07: rooms.
//!
//! Before: everybody heard everybody.
//! Now:    people meet in rooms, and what is said in a room stays in it.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a path with two typed pieces;
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
    client::serve_client,
    protocol::{RoomName, Username},
    rooms::{RoomManager, RoomSummary},
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
        .route("/ws/chat/{room}/{username}", any(open_socket))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME")))
        .with_state(RoomManager::default())
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn open_socket(
    Path((room, username)): Path<(RoomName, Username)>,
    State(rooms): State<RoomManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    sized(upgrade, LINE_LIMIT)
        .on_upgrade(|socket| serve_client(socket, rooms, room, username))
}

#[cfg(test)]
mod tests;
