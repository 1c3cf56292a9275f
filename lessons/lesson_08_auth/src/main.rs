//! Lesson 08: signing in.
//!
//! Before: everybody was who they said they were.
//! Now:    people sign in, and a signed token says who they are, for a while.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a library with the parts (`lib.rs`, `auth.rs`), and a program that puts them
//!    together;
//! 2. a password, checked against its hash, and a token in return (`login.rs`);
//! 3. two checks before the upgrade, from which page and from whom, in one extractor
//!    (`extract.rs`, `session.rs`).
//!
//! Run:   cargo run -p lesson_08_auth
//! Open:  http://127.0.0.1:8000/lesson_08.html in two windows
//! Check: cargo test -p lesson_08_auth

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, list_rooms, ws_handler};

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
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_08.html"))
        .with_state(AppState { rooms: RoomManager::default(), auth })
}

#[cfg(test)]
mod tests;
