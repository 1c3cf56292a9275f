//! Lesson 10: a rate limit.
//!
//! Before: one person could send as fast as the server reads, and fill the outboxes of
//!         everybody else, who were then disconnected.
//! Now:    each person has a rate, over all connections. What comes faster is refused.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a token bucket for each person (`rate_limiter.rs`, with the crate governor);
//! 2. an error that says when to try again, and Close 1008 for who never stops (`ws.rs`);
//! 3. 429 before the upgrade, because to join and to leave costs messages, too (`ws.rs`).
//!
//! Run:   cargo run -p lesson_10_rate_limit
//! Open:  http://127.0.0.1:8000/lesson_10.html
//! Check: cargo test -p lesson_10_rate_limit

mod rate_limiter;
mod ws;

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, list_rooms};

use crate::{
    rate_limiter::{BURST, MESSAGES_PER_SECOND, RateLimiter},
    ws::ws_handler,
};

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<RoomManager>`.
#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    auth: Auth,
    limiter: RateLimiter,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let limiter = RateLimiter::new(MESSAGES_PER_SECOND, BURST);

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, limiter).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, limiter: RateLimiter) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_10.html"))
        .with_state(AppState { rooms: RoomManager::default(), auth, limiter })
}

#[cfg(test)]
mod tests;
