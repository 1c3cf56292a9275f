//! Lesson 15: the list in a database.
//!
//! Before: the list was gone when the program ended, and anybody could change any row.
//! Now:    it is in SQLite. A change is committed first, and then announced.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a database off the async threads, with migrations (`database.rs`);
//! 2. validation by field, and `null` that is not "missing" (`users.rs`, `extract.rs`);
//! 3. one error for the whole API (`error.rs`), and a trait, `Model`, with which handlers
//!    and the check of the owner serve any table (`model.rs`, `api.rs`).
//!
//! Run:   DATABASE=users.db cargo run -p lesson_15_database
//! Open:  http://127.0.0.1:8000/lesson_15.html in two windows
//! Check: cargo test -p lesson_15_database

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::{FromRef, State},
    routing::any,
};
use lesson_08_auth::{Auth, auth_routes};
use lesson_14_live_list::{Events, ws_handler};
use lesson_15_database::{Database, MIGRATIONS, User, model_routes, protected, route};

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<Database>`.
#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    database: Database,
    events: Events,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let database =
        Database::from_env(MIGRATIONS).unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, database).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, database: Database) -> Router {
    let state = AppState { auth, database, events: Events::default() };

    Router::new()
        .merge(auth_routes::<AppState>())
        .nest("/api/v1", api(&state))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_15.html"))
        .with_state(state)
}

/// The list, and the socket with its events, for people who have signed in.
fn api(state: &AppState) -> Router<AppState> {
    protected(model_routes::<User, State<Events>, _>(), state)
        // Behind the layers, because its extractor checks both, and more.
        .merge(route("/ws/users", any(ws_handler)))
}

#[cfg(test)]
mod tests;
