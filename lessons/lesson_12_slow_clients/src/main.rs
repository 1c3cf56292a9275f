//! Lesson 12: slow clients.
//!
//! Before: a client whose outbox was full was disconnected, whatever it was used for.
//! Now:    a policy decides: disconnect it, or drop its oldest messages, or drop them and
//!         say how many.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. an outbox of our own, from which messages can also be dropped (`outbox.rs`);
//! 2. a policy that is read from the environment, and checked before the start;
//! 3. `missed`, a message that says that something is missing (`ws.rs`).
//!
//! Run:   SLOW_CLIENT=notify cargo run -p lesson_12_slow_clients
//! Open:  http://127.0.0.1:8000/lesson_12.html
//! Check: cargo test -p lesson_12_slow_clients

mod outbox;
mod rooms;
mod ws;

use std::{env, ffi::OsString, io, net::SocketAddr};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, auth_routes};
use tracing::info;

use crate::{
    outbox::SlowClient,
    rooms::{RoomManager, list_rooms},
    ws::ws_handler,
};

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
    let slow_client = slow_client_from(env::var_os("SLOW_CLIENT"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    info!(?slow_client, "this happens when an outbox is full");

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, slow_client).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The policy that `SLOW_CLIENT` names: `close`, `drop` or `notify`. Without one, `close`.
///
/// The error is a sentence for the person who started the program.
fn slow_client_from(variable: Option<OsString>) -> Result<SlowClient, String> {
    let Some(text) = variable else { return Ok(SlowClient::Close) };
    let text = text.to_string_lossy();
    text.trim().parse().map_err(|error| format!("SLOW_CLIENT is {text:?}: {error}."))
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, slow_client: SlowClient) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_12.html"))
        .with_state(AppState { rooms: RoomManager::new(slow_client), auth })
}

#[cfg(test)]
mod tests;
