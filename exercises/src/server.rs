//! The routes, and the upgrade.

use axum::{
    Json, Router,
    extract::{Path, State, ws::WebSocketUpgrade},
    response::Response,
    routing::{any, get},
};
use serde_json::{Value, json};

use crate::{
    client::handle_socket,
    copied_chat,
    protocol::{RoomName, Username},
    rooms::{RoomManager, RoomSummary},
    socket::with_limits,
};

/// The longest message that we send, in bytes: fifty of the longest chats in one. Pongs
/// that a client does not read may fill as much.
const MAX_WRITE_BUFFER_SIZE: usize = 640 * 1024;

/// The whole application. The checks call this too.
pub fn app() -> Router {
    app_with(RoomManager::with_rate_limit())
}

/// The same with rooms of your own.
///
/// The checks that flood a room take some without exercise 6: a good limit would save
/// the server from them.
pub fn app_with(rooms: RoomManager) -> Router {
    Router::new()
        .route("/ws/chat/{room}/{username}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .route("/rate_limit", get(count_people))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "chat.html"))
        .with_state(rooms)
        .merge(copied_chat::router()) // Exercise 5, a chat of its own.
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

/// Exercise 6: for how many people does the limiter need memory?
async fn count_people(State(rooms): State<RoomManager>) -> Json<Value> {
    Json(json!({ "people": rooms.remembered() }))
}

async fn ws_handler(
    Path((room, username)): Path<(RoomName, Username)>,
    State(rooms): State<RoomManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade)
        .max_write_buffer_size(MAX_WRITE_BUFFER_SIZE)
        .on_upgrade(|socket| handle_socket(socket, rooms, room, username))
}
