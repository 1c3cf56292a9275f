//! Wrong: it says that there is no such floor when the socket is open.
//!
//! Refused by step_4_no_such_floor_is_rejected_with_404:
//! "Eve should be rejected with 404 at /warm_up_04/ws/7/9, but got a WebSocket."

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
    place: Result<Path<(ClientId, Floor)>, PathRejection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(Path((id, floor))) = place else {
        let sentence =
            "An id and a floor are whole numbers that fit, as in /warm_up_04/ws/7/2.";
        return (StatusCode::BAD_REQUEST, sentence).into_response();
    };

    with_limits(upgrade).on_upgrade(move |socket| {
        let greeting = if FLOORS.contains(&floor) {
            format!("You are client {id}, on floor {floor}.")
        } else {
            format!("There is no floor {floor}. The floors are -1 to 5.")
        };
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
