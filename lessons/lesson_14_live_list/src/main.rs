//! Lesson 14: a live list.
//!
//! Before: a page that shows a list loads it again and again, or shows an old one.
//! Now:    it subscribes, loads the list once, and then receives every change.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `broadcast`, a channel in which each subscriber receives every event (`events.rs`);
//! 2. a list over REST, in which every change has a number, the *version* (`users.rs`,
//!    `api.rs`);
//! 3. a socket that carries events, and replies behind them (`ws.rs`).
//!
//! Run:   cargo run -p lesson_14_live_list
//! Open:  http://127.0.0.1:8000/lesson_14.html in two windows
//! Check: cargo test -p lesson_14_live_list

mod api;
mod users;

use std::{io, net::SocketAddr};

use axum::{Router, extract::FromRef};
use lesson_08_auth::{Auth, auth_routes};
use lesson_14_live_list::Events;

use crate::users::Users;

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<Users>`.
#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    users: Users,
    events: Events,
}

impl AppState {
    fn new(auth: Auth) -> Self {
        let events = Events::default();
        Self { auth, users: Users::new(events.clone()), events }
    }
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
    let app = app(AppState::new(auth));
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(state: AppState) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .nest("/api/v1", api::routes(&state))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_14.html"))
        .with_state(state)
}

#[cfg(test)]
mod tests;
