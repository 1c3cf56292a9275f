//! Lesson 11: connection limits.
//!
//! Before: one person could open connections and rooms until nothing was left for others.
//! Now:    there are only so many of each, and who gets none is told why.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. permits that `Drop` gives back (`keyed_limit.rs`, `connection_limits.rs`);
//! 2. two ways to refuse: before the upgrade, and with a Close (`ws.rs`);
//! 3. a configuration from the environment, checked before the start (`config.rs`).
//!
//! Run:   cargo run -p lesson_11_connection_limits
//! Open:  http://127.0.0.1:8000/lesson_11.html
//! Check: cargo test -p lesson_11_connection_limits

mod config;
mod connection_limits;
mod keyed_limit;
mod ws;

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, RoomName, auth_routes, list_rooms};

use crate::{
    config::Config, connection_limits::ConnectionLimits, keyed_limit::KeyedLimit,
    ws::ws_handler,
};

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<RoomManager>`.
#[derive(Clone, FromRef)]
struct AppState {
    connections: ConnectionLimits,
    members: KeyedLimit<RoomName>,
    rooms: RoomManager,
    auth: Auth,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));

    let config = Config::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, &config).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, config: &Config) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_11.html"))
        .with_state(AppState {
            connections: ConnectionLimits::new(config),
            members: KeyedLimit::new(config.max_members_per_room, config.max_rooms),
            rooms: RoomManager::default(),
            auth,
        })
}

#[cfg(test)]
mod tests;
