//! Lesson 21: observability.
//!
//! Before: a server that runs said nothing about how it runs.
//! Now:    it says how each connection ended, and counts what happens, for a Prometheus that
//!         asks every few seconds.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. what is counted, and by which labels, which are closed sets (`metrics.rs`,
//!    `labels.rs`);
//! 2. a span for each connection, and a guard that ends it (`connection.rs`, `logging.rs`);
//! 3. how late the runtime is, and what `/health` and `/ready` say (`runtime.rs`), and who
//!    may look (`operators.rs`).
//!
//! Run:   cargo run -p lesson_21_observability
//! Open:  http://127.0.0.1:8000/lesson_21.html
//! Check: cargo test -p lesson_21_observability

mod connection;
mod labels;
mod logging;
mod metrics;
mod operators;
mod runtime;
mod ws;

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::FromRef,
    middleware::from_fn_with_state,
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, list_rooms};
use tokio::{spawn, try_join};

use crate::{
    connection::observe_entry,
    metrics::Metrics,
    operators::{live_metrics, metrics_text},
    runtime::{health, measure_lag, ready},
    ws::ws_handler,
};

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<RoomManager>`.
#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    auth: Auth,
    metrics: Metrics,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let _guard = logging::init().unwrap_or_else(|sentence| pages::quit(sentence));

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let metrics = Metrics::new();
    spawn(measure_lag(metrics.clone()));
    let operators =
        operators::listen().await.unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, metrics.clone());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let public = axum::serve(listener, app);
    let private = axum::serve(operators, app_for_operators(metrics));
    try_join!(public.into_future(), private.into_future())?;
    Ok(())
}

/// The application, as everybody may use it. The tests call this too, so they check exactly
/// what `main` serves.
fn app(auth: Auth, metrics: Metrics) -> Router {
    let observed = from_fn_with_state(metrics.clone(), observe_entry);

    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route_layer(observed) // What comes below is not about who gets into the chat.
        .route("/rooms", get(list_rooms))
        .route("/ws/metrics", any(live_metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_21.html"))
        .with_state(AppState { rooms: RoomManager::default(), auth, metrics })
}

/// What is served at `METRICS_ADDR`, where no stranger comes.
fn app_for_operators(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(metrics_text)).with_state(metrics)
}

#[cfg(test)]
mod tests;
