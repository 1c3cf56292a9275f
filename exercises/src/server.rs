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
    copied_chat, drain,
    features::Features,
    idle_session, private_room,
    protocol::{RoomName, Username},
    rooms::{RoomManager, RoomSummary},
    slow_client,
    socket::with_limits,
    warm_ups,
};

/// The longest message that we send, in bytes: fifty of the longest chats in one. Pongs
/// that a client does not read may fill as much.
const MAX_WRITE_BUFFER_SIZE: usize = 640 * 1024;

/// The whole application: the chat with all its features, and what stands beside it.
pub fn app() -> Router {
    chat_with(Features::ALL)
        .merge(copied_chat::router()) // Exercise 5, a chat of its own.
        .merge(private_room::router()) // Exercise 8, and so on: servers of their own.
        .merge(idle_session::router())
        .merge(slow_client::router())
        .merge(drain::router())
        .merge(warm_ups::router())
}

/// The chat alone, with some of its features. The checks call this.
pub fn chat_with(features: Features) -> Router {
    Router::new()
        .route("/ws/chat/{room}/{username}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .route("/rate_limit", get(count_people))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "chat.html"))
        .with_state(RoomManager::new(features))
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
