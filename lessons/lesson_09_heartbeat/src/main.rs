//! Lesson 09: a client that vanishes without a word.
//!
//! Before: whoever lost its line without a goodbye stayed until its token expired.
//! Now:    the server asks for a sign of life, and gives up on whoever gives none.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a line, which owns the socket and all that can happen to it (`line.rs`);
//! 2. its heartbeat: pings, a deadline for the answer, and idle people (`heartbeat.rs`).
//!
//! Run:   cargo run -p lesson_09_heartbeat
//! Open:  http://127.0.0.1:8000/lesson_09.html
//! Check: cargo test -p lesson_09_heartbeat

mod client;
mod guards;
mod heartbeat;
mod line;
mod login;
mod protocol;
mod rooms;
mod socket;
mod tokens;
mod users;

use std::io;

use axum::{
    Json, Router,
    extract::{Path, State, ws::WebSocketUpgrade},
    response::Response,
    routing::{any, get, post},
};

use crate::{
    client::serve_client,
    guards::{Guest, OwnPage, SUBPROTOCOL},
    login::{log_in, me},
    protocol::RoomName,
    rooms::{RoomManager, RoomSummary},
    socket::sized,
    tokens::Tokens,
    users::Users,
};

/// What the line carries, in bytes. A longer message ends the connection.
///
/// It is twice what the protocol allows, so that somebody who is a little over the limit
/// gets an answer and can go on.
const LINE_LIMIT: usize = 64 * 1024;

/// What all requests share. It is only a handle: clone it freely.
#[derive(Clone)]
struct Chat {
    rooms: RoomManager,
    tokens: Tokens,
    users: Users,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let tokens = Tokens::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    axum::serve(listener, app(tokens)).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(tokens: Tokens) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/ws/chat/{room}", any(open_socket))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_09.html"))
        .with_state(Chat {
            rooms: RoomManager::default(),
            tokens,
            users: Users::default(),
        })
}

async fn list_rooms(State(chat): State<Chat>) -> Json<Vec<RoomSummary>> {
    Json(chat.rooms.list())
}

async fn open_socket(
    _: OwnPage,
    guest: Guest,
    Path(room): Path<RoomName>,
    State(chat): State<Chat>,
    upgrade: WebSocketUpgrade,
) -> Response {
    sized(upgrade, LINE_LIMIT)
        .protocols([SUBPROTOCOL])
        .on_upgrade(|socket| serve_client(socket, chat.rooms, room, guest))
}

#[cfg(test)]
mod tests;
