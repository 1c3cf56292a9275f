//! Lesson 09: a heartbeat.
//!
//! Before: a client that vanished without a Close stayed a member until its token expired.
//! Now:    the server finds out within 30 seconds, and also closes sessions that are idle.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a ping after 20 seconds without a message, and a deadline for the answer
//!    (`heartbeat.rs`);
//! 2. a loop that reads what has come before it looks at the deadline (`ws.rs`);
//! 3. what counts as use: not what a page or a browser sends by itself (`ws.rs`).
//!
//! Run:   cargo run -p lesson_09_heartbeat
//! Open:  http://127.0.0.1:8000/lesson_09.html in two windows
//! Check: cargo test -p lesson_09_heartbeat

mod heartbeat;
mod ws;

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, list_rooms};

use crate::ws::ws_handler;

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<RoomManager>`.
#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    auth: Auth,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_09.html"))
        .with_state(AppState { rooms: RoomManager::default(), auth })
}

#[cfg(test)]
mod tests;
