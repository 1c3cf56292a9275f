//! Lesson 10: a limit for everything that grows.
//!
//! Before: one client could fill the memory, or throw out its neighbours by talking fast.
//! Now:    each of them has its share, and is told when it wants more.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. all limits in one place, and a sentence if they contradict each other (`limits.rs`);
//! 2. a door with a deadline (`serving.rs`), a throttle (`throttle.rs`), and places
//!    (`places.rs`);
//! 3. a pace for whoever speaks (`pace.rs`), and a choice for whoever is slow (`outbox.rs`).
//!
//! Run:   cargo run -p lesson_10_limits
//! Open:  http://127.0.0.1:8000/lesson_10.html
//! Check: cargo test -p lesson_10_limits

mod client;
mod guards;
mod heartbeat;
mod limits;
mod line;
mod login;
mod outbox;
mod pace;
mod places;
mod protocol;
mod rooms;
mod serving;
mod socket;
mod throttle;
mod tokens;
mod users;

use axum::{
    Json, Router,
    extract::{Path, State, ws::WebSocketUpgrade},
    http::{HeaderName, StatusCode, header::RETRY_AFTER},
    response::Response,
    routing::{any, get, post},
};

use crate::{
    client::{serve_client, turn_away},
    guards::{Guest, OwnPage, SUBPROTOCOL},
    limits::Limits,
    login::{log_in, me},
    pace::Paces,
    places::Places,
    protocol::RoomName,
    rooms::{RoomManager, RoomSummary},
    serving::serve,
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
    places: Places,
    paces: Paces,
    rooms: RoomManager,
    tokens: Tokens,
    users: Users,
}

#[tokio::main]
async fn main() {
    let tokens = Tokens::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let limits = Limits::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    serve(listener, app(tokens, limits), limits).await;
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(tokens: Tokens, limits: Limits) -> Router {
    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/ws/chat/{room}", any(open_socket))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_10.html"))
        .with_state(Chat {
            places: Places::new(&limits),
            paces: Paces::new(limits.messages_per_second, limits.burst),
            rooms: RoomManager::new(limits),
            tokens,
            users: Users::default(),
        })
}

/// What a client gets that there is no place for.
type Full = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

const FULL: Full = (
    StatusCode::SERVICE_UNAVAILABLE,
    [(RETRY_AFTER, "10")],
    "All places are taken. Try again in ten seconds.",
);

async fn list_rooms(State(chat): State<Chat>) -> Json<Vec<RoomSummary>> {
    Json(chat.rooms.list())
}

async fn open_socket(
    _: OwnPage,
    guest: Guest,
    Path(room): Path<RoomName>,
    State(chat): State<Chat>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Full> {
    let place = chat.places.take().ok_or(FULL)?;
    let own = chat.places.take_own(&guest.username).ok_or(FULL)?;

    let upgrade = sized(upgrade, LINE_LIMIT).protocols([SUBPROTOCOL]);
    Ok(upgrade.on_upgrade(async move |socket| {
        if own.may_stay {
            serve_client(socket, chat, room, guest).await;
        } else {
            turn_away(socket).await;
        }
        drop((place, own));
    }))
}

#[cfg(test)]
mod tests;
