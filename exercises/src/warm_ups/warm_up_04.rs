//! Warm-up for lesson 04: a typed second parameter.
//!
//! Read first: the chapter of lesson 04, and its `ws_handler`
//! Edit:       this file, in two places: the route and `ws_handler`
//! Check:      cargo course check warm_up_04
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with the
//!             address /warm_up_04/ws/7/2

#![allow(dead_code)] // What your code will use. Delete this line then.

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
    Router::new().route("/warm_up_04/ws/{client_id}", any(ws_handler))
}

/// Takes a client that says, in the path, who it is and on which floor.
///
/// Now the path has one parameter, as in `/warm_up_04/ws/7`. Give it a second one, the
/// floor, as in `/warm_up_04/ws/7/2` or `/warm_up_04/ws/7/-1`:
///
/// - if both are numbers of their types, and the building has this floor, the client gets
///   its WebSocket, and receives "You are client 7, on floor 2.";
/// - if one of the two is no such number, the client is rejected with 400 and the sentence
///   "An id and a floor are whole numbers that fit, as in /warm_up_04/ws/7/2.";
/// - if the building does not have this floor, say floor 9, the client is rejected with 404
///   and the sentence "There is no floor 9. The floors are -1 to 5."
///
/// What makes it interesting: the type checks one of the two mistakes for you, but not the
/// other: 9 is an `i8`. For that one you have to write the check, and the answer, yourself.
///
/// - One `Path` takes all captures of a route. Which type holds two values, of two types?
/// - Which method of a range says whether a value is in it?
/// - On which line is it too late for a status?
async fn ws_handler(
    id: Result<Path<ClientId>, PathRejection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(Path(id)) = id else {
        return StatusCode::BAD_REQUEST.into_response();
    };

    with_limits(upgrade).on_upgrade(move |socket| {
        let greeting = format!("You are client {id}.");
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
