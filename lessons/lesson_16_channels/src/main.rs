//! Lesson 16: channels.
//!
//! Before: a socket brought the events of one list, and each list needed a socket.
//! Now:    one socket brings those of all channels to which its client has subscribed.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `Channels`: who is subscribed to what, and one way to publish to them
//!    (`channels.rs`, `ws.rs`);
//! 2. a second model, with the handlers of lesson 15 (`posts.rs`, `api.rs`);
//! 3. who is told of a change: `?announce=false`, `x-client-id`, and announcements
//!    (`publisher.rs`, `api.rs`).
//!
//! Run:   cargo run -p lesson_16_channels
//! Open:  http://127.0.0.1:8000/lesson_16.html in two windows
//! Check: cargo test -p lesson_16_channels

mod api;
mod channels;
mod events;
mod posts;
mod publisher;
mod ws;

use std::{io, net::SocketAddr};

use axum::{Router, extract::FromRef};
use lesson_08_auth::{Auth, auth_routes};
use lesson_15_database::{Database, MIGRATIONS};
use rusqlite_migration::M as Migration;

use crate::channels::Channels;

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<Database>`.
#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    database: Database,
    channels: Channels,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let database = Database::from_env(&migrations())
        .unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, database).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The steps of lesson 15, and then those of this lesson.
fn migrations() -> Vec<Migration<'static>> {
    [MIGRATIONS, &[Migration::up(include_str!("../migrations/2_posts.sql"))]].concat()
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, database: Database) -> Router {
    let state = AppState { auth, database, channels: Channels::default() };

    Router::new()
        .merge(auth_routes::<AppState>())
        .nest("/api/v1", api::routes(&state))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_16.html"))
        .with_state(state)
}

#[cfg(test)]
mod tests;
