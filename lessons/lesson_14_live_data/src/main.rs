//! Lesson 14: live data.
//!
//! Before: a client that shows a list has to ask again and again, or shows old news.
//! Now:    it loads the list once, and then hears of every change.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a database, in which a change gets a number (`database.rs`, `migrations/`);
//! 2. what it holds, and what we let in (`models.rs`, `records.rs`);
//! 3. an API over HTTP, and how it says no (`api.rs`, `requests.rs`, `refusal.rs`);
//! 4. channels: who hears of what (`channels.rs`, `events.rs`, `feed.rs`).
//!
//! All else is a chat of an older form, which repeats what lessons 09 to 12 teach.
//!
//! Run:   cargo run -p lesson_14_live_data
//! Open:  http://127.0.0.1:8000/lesson_14.html
//! Check: cargo test -p lesson_14_live_data

mod accounts;
mod api;
mod channels;
mod client;
mod database;
mod door;
mod events;
mod feed;
mod guards;
mod heartbeat;
mod limits;
mod line;
mod login;
mod models;
mod outbox;
mod pace;
mod places;
mod protocol;
mod records;
mod refusal;
mod requests;
mod rooms;
mod serving;
mod socket;
mod throttle;
mod tokens;

use axum::{
    Json, Router,
    extract::State,
    routing::{any, get, post},
};

use crate::{
    accounts::Accounts,
    channels::Channels,
    client::open_socket,
    database::Database,
    limits::Limits,
    login::{log_in, me},
    pace::Paces,
    places::Places,
    rooms::{RoomManager, RoomSummary},
    serving::serve,
    tokens::Tokens,
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
    changes: Paces,
    rooms: RoomManager,
    tokens: Tokens,
    accounts: Accounts,
    database: Database,
    channels: Channels,
}

#[tokio::main]
async fn main() {
    let tokens = Tokens::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let limits = Limits::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let database = Database::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    serve(listener, app(tokens, limits, database), limits).await;
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(tokens: Tokens, limits: Limits, database: Database) -> Router {
    let chat = Chat {
        places: Places::new(&limits),
        paces: Paces::new(limits.messages_per_second, limits.burst),
        changes: Paces::new(limits.changes_per_second, limits.change_burst),
        rooms: RoomManager::new(limits),
        tokens,
        accounts: Accounts::default(),
        database,
        channels: Channels::new(limits.outbox),
    };

    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/ws/chat/{room}", any(open_socket))
        .route("/rooms", get(list_rooms))
        .nest("/api/v1", api::router(chat.clone()))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_14.html"))
        .with_state(chat)
}

async fn list_rooms(State(chat): State<Chat>) -> Json<Vec<RoomSummary>> {
    Json(chat.rooms.list())
}

#[cfg(test)]
mod tests;
