//! Lesson 17: work that takes long.
//!
//! Before: whoever asked for long work waited for the answer, and so did everybody else.
//! Now:    the answer is a number, the work goes on beside, and the socket tells how far.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. long work in steps, beside the async threads, which can be cancelled (`work.rs`);
//! 2. a board for each person, where the work writes how far it has got (`tasks.rs`);
//! 3. watchers, who hear what is different from what they were told (`watching.rs`).
//!
//! All else is a chat of an older form, which repeats what lessons 09 to 12 teach.
//! Lesson 14 is in here, too.
//!
//! Run:   cargo run -p lesson_17_tasks
//! Open:  http://127.0.0.1:8000/lesson_17.html
//! Check: cargo test -p lesson_17_tasks

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
}

#[tokio::main]
async fn main() {
    let tokens = Tokens::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let limits = Limits::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let database = Database::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    serve(listener, app(tokens, limits, database, Tasks::default()), limits).await;
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(tokens: Tokens, limits: Limits, database: Database, tasks: Tasks) -> Router {
    let chat = Chat {
        places: Places::new(&limits),
        paces: Paces::new(limits.messages_per_second, limits.burst),
        changes: Paces::new(limits.changes_per_second, limits.change_burst),
        rooms: RoomManager::new(limits),
        tokens,
        accounts: Accounts::default(),
        database,
        channels: Channels::new(limits.outbox),
        tasks,
    };

    Router::new()
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/ws/chat/{room}", any(open_socket))
        .route("/rooms", get(list_rooms))
        .merge(task_api::router())
        .nest("/api/v1", api::router(chat.clone()))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_17.html"))
        .with_state(chat)
}

async fn list_rooms(State(chat): State<Chat>) -> Json<Vec<RoomSummary>> {
    Json(chat.rooms.list())
}

#[cfg(test)]
mod tests;
