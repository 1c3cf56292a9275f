//! Wrong: the floor is read as an `i32`, and `as` cuts it.
//!
//! Refused by step_3_no_number_is_rejected_with_400:
//! "The floor 258 does not fit into an `i8`."

use std::ops::RangeInclusive;

use axum::{
    Router,
    extract::{
        Path,
        rejection::PathRejection,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};

use crate::socket::with_limits;

type ClientId = u32;

/// A floor of the building. 0 is the ground floor, and -1 is the basement.
type Floor = i8;

/// The floors that the building has.
const FLOORS: RangeInclusive<Floor> = -1..=5;

pub fn router() -> Router {
    Router::new().route("/warm_up_04/ws/{client_id}/{floor}", any(ws_handler))
}

/// Takes a client that says, in the path, who it is and on which floor.
async fn ws_handler(
    captures: Result<Path<(ClientId, i32)>, PathRejection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(Path((id, floor))) = captures else {
        let sentence =
            "An id and a floor are whole numbers that fit, as in /warm_up_04/ws/7/2.";
        return (StatusCode::BAD_REQUEST, sentence).into_response();
    };

    let floor = floor as Floor;

    // The type cannot know how high the building is, so we ask. Why 404 and not 400? The
    // path is well formed, but what it names does not exist.
    if !FLOORS.contains(&floor) {
        let (lowest, highest) = (FLOORS.start(), FLOORS.end());
        let sentence =
            format!("There is no floor {floor}. The floors are {lowest} to {highest}.");
        return (StatusCode::NOT_FOUND, sentence).into_response();
    }

    // From here on it is too late for a status: `on_upgrade` returns the 101.
    with_limits(upgrade).on_upgrade(move |socket| {
        let greeting = format!("You are client {id}, on floor {floor}.");
        handle_socket(socket, greeting)
    })
}

/// Greets one client, and then reads until it is gone.
async fn handle_socket(mut socket: WebSocket, greeting: String) {
    if socket.send(Message::text(greeting)).await.is_err() {
        return; // The connection is lost.
    }
    while let Some(Ok(_)) = socket.recv().await {}
}
