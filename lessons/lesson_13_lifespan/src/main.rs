//! Lesson 13: the first client, and the last one.
//!
//! Before: when the program ended, all lines dropped at once, and nobody knew why.
//! Now:    it says goodbye to everybody, delivers what was said, and ends in time.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. the life of the program, which everybody shares (`lifespan.rs`);
//! 2. a door that closes, and requests that may finish (`serving.rs`);
//! 3. one more thing that a line listens for: the end (`line.rs`).
//!
//! Run:   cargo run -p lesson_13_lifespan
//! Open:  http://127.0.0.1:8000/lesson_13.html
//! Check: cargo test -p lesson_13_lifespan

mod accounts;
mod api;
mod channels;
mod client;
mod counting;
mod database;
mod door;
mod events;
mod feed;
mod guards;
mod heartbeat;
mod lifespan;
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
mod task_api;
mod tasks;
mod throttle;
mod tokens;
mod watching;
mod work;

use std::process;

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
    lifespan::{Lifespan, tell_whether_ready},
    limits::Limits,
    login::{log_in, me},
    pace::Paces,
    places::Places,
    rooms::{RoomManager, RoomSummary},
    serving::serve,
    tasks::Tasks,
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
    tasks: Tasks,
    lifespan: Lifespan,
}

#[tokio::main]
async fn main() {
    let tokens = Tokens::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let limits = Limits::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let database = Database::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    let lifespan = Lifespan::default();
    lifespan.stop_on_signal(limits.notice);
    let app = app(tokens, limits, database, Tasks::default(), lifespan.clone());

    // The port comes last: whoever gets in finds everything there.
    let listener = pages::listen().await;
    serve(listener, app, limits, lifespan).await;

    // To return is not enough: tokio would still wait for `spawn_blocking`.
    process::exit(0);
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(
    tokens: Tokens,
    limits: Limits,
    database: Database,
    tasks: Tasks,
    lifespan: Lifespan,
) -> Router {
    let chat = Chat {
        places: Places::new(&limits),
        paces: Paces::new(limits.messages_per_second, limits.burst),
        changes: Paces::new(limits.changes_per_second, limits.change_burst),
        rooms: RoomManager::new(limits, lifespan.clone()),
        tokens,
        accounts: Accounts::default(),
        database,
        channels: Channels::new(limits.outbox),
        tasks,
        lifespan,
    };

    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/ws/chat/{room}", any(open_socket))
        .route("/rooms", get(list_rooms))
        .route("/ready", get(tell_whether_ready))
        .merge(task_api::router())
        .nest("/api/v1", api::router(chat.clone()))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_13.html"))
        .with_state(chat)
}

async fn list_rooms(State(chat): State<Chat>) -> Json<Vec<RoomSummary>> {
    Json(chat.rooms.list())
}

#[cfg(test)]
mod tests;
