//! Lesson 22: the edge.
//!
//! Before: the server spoke plain HTTP with everybody who connected, for as long as they liked.
//! Now:    it speaks TLS, knows its proxies, and connections that are no WebSocket have limits.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. an accept loop of our own, with time-outs and a limit (`accept.rs`, `throttle.rs`);
//! 2. TLS, and a certificate that can be replaced while the server runs (`tls.rs`);
//! 3. what a proxy says about its client, and who is believed (`forwarded.rs`);
//! 4. what a service manager has to know (`service.rs`).
//!
//! Run:   TLS_ADDR=127.0.0.1:8443 cargo run -p lesson_22_edge
//! Open:  http://127.0.0.1:8000/lesson_22.html, or https://localhost:8443/lesson_22.html
//! Check: cargo test -p lesson_22_edge

mod accept;
mod forwarded;
#[cfg(unix)]
mod service;
mod throttle;
mod tls;

use std::{env, io};

use axum::{
    Router,
    extract::FromRef,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, list_rooms, ws_handler};

use crate::{
    accept::{HttpLimits, serve},
    forwarded::{TrustedProxies, forwarded, secure_cookies},
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
    let proxies = TrustedProxies::parse(&env::var("TRUSTED_PROXIES").unwrap_or_default())
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let limits = HttpLimits::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let tls = tls::from_env().await.unwrap_or_else(|sentence| pages::quit(sentence));
    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    let app = app(auth, proxies);
    tokio::spawn(serve(listener, None, app.clone(), limits.clone()));
    let certificate = tls.as_ref().map(|(_, certificate)| certificate.clone());
    if let Some((listener, certificate)) = tls {
        tokio::spawn(serve(listener, Some(certificate.acceptor()), app, limits));
    }
    cfg_select! {
        unix => { service::run(certificate).await }
        _ => { drop(certificate); tokio::signal::ctrl_c().await }
    }
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, proxies: TrustedProxies) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_22.html"))
        .with_state(AppState { rooms: RoomManager::default(), auth })
        // The last layer is the first to see a request.
        .layer(from_fn(secure_cookies))
        .layer(from_fn_with_state(proxies, forwarded))
}

#[cfg(test)]
mod tests;
