//! Lesson 13: shutdown.
//!
//! Before: when the program ended, it cut off everybody, and no page knew why.
//! Now:    it sends what was said, closes with 1001, and ends before a deadline.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a handle that tells all tasks when to stop, and waits for them (`shutdown.rs`);
//! 2. one more arm in the loop of each client: the stop (`ws.rs`);
//! 3. a secret that outlives the program, so that pages come back (`secret.rs`).
//!
//! Run:   cargo run -p lesson_13_shutdown
//! Open:  http://127.0.0.1:8000/lesson_13.html
//! Check: cargo test -p lesson_13_shutdown

mod secret;
mod shutdown;
mod ws;

use std::{io, net::SocketAddr, process::ExitCode};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, list_rooms};
use tracing::info;

use crate::{
    shutdown::{Shutdown, ready, seconds},
    ws::ws_handler,
};

/// The exit code when some clients did not leave before the deadline.
const LEFT_BEHIND: u8 = 3;

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<RoomManager>`.
#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    auth: Auth,
    shutdown: Shutdown,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let delay =
        seconds("SHUTDOWN_DELAY", 0).unwrap_or_else(|sentence| pages::quit(sentence));
    let deadline =
        seconds("SHUTDOWN_TIMEOUT", 8).unwrap_or_else(|sentence| pages::quit(sentence));
    let auth = secret::auth(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));

    let shutdown = Shutdown::default();
    shutdown.on_signal(delay);

    // The port comes last: whoever connects finds everything ready.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, shutdown.clone());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let stop = shutdown.clone();
    let server = axum::serve(listener, app)
        .with_graceful_shutdown(async move { stop.stopping().await });
    shutdown.spawn(server.into_future());

    let left = shutdown.finish(deadline).await;
    info!(left, "the program ends");
    ExitCode::from(if left == 0 { 0 } else { LEFT_BEHIND })
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, shutdown: Shutdown) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .route("/ready", get(ready))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_13.html"))
        .with_state(AppState { rooms: RoomManager::default(), auth, shutdown })
}

#[cfg(test)]
mod tests;
