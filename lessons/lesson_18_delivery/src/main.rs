//! Lesson 18: delivery.
//!
//! Before: what was sent while a connection was broken was lost, and nobody knew.
//! Now:    each room is a log with numbers. A client says which number it has seen last, and
//!         gets what it missed; what it sends is acknowledged, and appears once.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. the log of a room, a trait (`log.rs`) and SQLite behind it (`sqlite.rs`);
//! 2. messages with an id, acknowledged when they are durable (`protocol.rs`,
//!    `message.rs`);
//! 3. a session that resumes: first from the log, then from the outbox (`ws.rs`,
//!    `rooms.rs`).
//!
//! Run:   DATABASE=chat.db cargo run -p lesson_18_delivery
//! Open:  http://127.0.0.1:8000/lesson_18.html in two windows
//! Check: cargo test -p lesson_18_delivery

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, auth_routes};
use lesson_18_delivery::{RoomManager, SqliteLog, list_rooms, ws_handler};

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<RoomManager>`.
#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    log: Arc<SqliteLog>,
    auth: Auth,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let rooms = RoomManager::default();
    let log = SqliteLog::from_env(rooms.clone())
        .unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, rooms, log).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, rooms: RoomManager, log: SqliteLog) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler::<SqliteLog>))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_18.html"))
        .with_state(AppState { rooms, log: Arc::new(log), auth })
}

#[cfg(test)]
mod tests;
