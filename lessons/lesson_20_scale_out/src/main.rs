//! Lesson 20: scale-out.
//!
//! Before: one process served everybody. If it stopped, nobody was served.
//! Now:    several processes, the nodes, are one chat. The log of all rooms is in a broker,
//!         NATS, and so is who has which name.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. one stream for all rooms, behind the trait of lesson 18 (`storage.rs`, `broker.rs`,
//!    `nats_log.rs`, `follower.rs`);
//! 2. a lease: for how long a node may act that has lost the others (`lease.rs`, `node.rs`);
//! 3. names that are taken on all nodes or on none (`presence.rs`, `rooms.rs`).
//!
//! Run:   NATS_URL=127.0.0.1:4222 JWT_SECRET=… cargo run -p lesson_20_scale_out
//!        Without NATS_URL, it is one node with the log of lesson 18. NATS has to be 2.11 or
//!        newer, with JetStream.
//! Open:  http://127.0.0.1:8000/lesson_20.html in two windows
//! Check: cargo test -p lesson_20_scale_out

mod broker;
mod follower;
mod lease;
mod nats_log;
mod node;
mod presence;
mod rooms;
mod storage;
mod ws;

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRef, State},
    http::StatusCode,
    routing::{any, get},
};
use lesson_08_auth::{Auth, auth_routes};
use lesson_18_delivery::{self as delivery, SqliteLog};
use tracing::{level_filters::LevelFilter, warn};
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{
    broker::Connection,
    node::{CurrentNode, NO_LEASE},
    rooms::RoomSummary,
    storage::Settings,
    ws::ws_handler,
};

/// What all requests share. It is only a handle: clone it freely.
#[derive(Clone, FromRef)]
struct AppState {
    current: CurrentNode,
    auth: Auth,
}

/// The same for a process that is alone, with the log and the rooms of lesson 18.
#[derive(Clone, FromRef)]
struct SingleState {
    rooms: delivery::RoomManager,
    log: Arc<SqliteLog>,
    auth: Auth,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    // The library has a line for each try to connect. Ours are in `broker.rs`.
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("async_nats", LevelFilter::OFF);
    tracing_subscriber::fmt().with_writer(log).finish().with(levels).init();

    let app = from_env().await.unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// The application that the environment asks for. The error is a sentence for whoever started
/// the program.
async fn from_env() -> Result<Router, String> {
    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))?;
    let Some(settings) = Settings::from_env()? else {
        warn!("NATS_URL is not set: this is one node, with the log of lesson 18");
        let rooms = delivery::RoomManager::default();
        let log = SqliteLog::from_env(rooms.clone())?;
        return Ok(single_app(auth, rooms, log));
    };
    Ok(app(auth, CurrentNode::start(Connection::start(settings).await?)))
}

/// The whole application, for one of several nodes.
fn app(auth: Auth, current: CurrentNode) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .route("/ready", get(ready))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_20.html"))
        .with_state(AppState { current, auth })
}

/// The whole application, for a process that is alone.
fn single_app(auth: Auth, rooms: delivery::RoomManager, log: SqliteLog) -> Router {
    Router::new()
        .merge(auth_routes::<SingleState>())
        .route("/ws/chat/{room}", any(delivery::ws_handler::<SqliteLog>))
        .route("/rooms", get(delivery::list_rooms))
        .route("/ready", get(async || "ready"))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_20.html"))
        .with_state(SingleState { rooms, log: Arc::new(log), auth })
}

type NotReady = (StatusCode, &'static str);

/// `GET /ready`: whether a balancer should send clients here.
async fn ready(State(current): State<CurrentNode>) -> Result<&'static str, NotReady> {
    let sentence = |sentence| (StatusCode::SERVICE_UNAVAILABLE, sentence);
    current.check().map(|()| "ready").map_err(sentence)
}

/// `GET /rooms`: all rooms with a member on any node, and how many each has.
async fn list_rooms(
    State(current): State<CurrentNode>,
) -> Result<Json<Vec<RoomSummary>>, NotReady> {
    let node = current.get().filter(|node| node.lease.is_valid());
    let node = node.ok_or((StatusCode::SERVICE_UNAVAILABLE, NO_LEASE))?;
    Ok(Json(node.rooms.list()))
}

#[cfg(test)]
mod tests;
