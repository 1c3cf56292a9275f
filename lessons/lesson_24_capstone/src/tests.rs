mod cluster;
mod configuration;
mod delivery;
mod forwarded;
mod heartbeat;
mod limits;
mod live;
mod people;
mod shutdown;
mod signing_in;
mod tasks;
mod telemetry;

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::connect_info::MockConnectInfo};
use probe::{Expected, Server, chat::Chat, serve_by};
use rusqlite::Connection;

use self::people::{config, path};
use crate::{
    app::{AppState, app as routes},
    config::Config,
    database::Database,
    server::{self, Shutdown},
};

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance!(app(), &path("rust", "ana"));

// What every chat of the course does (`lessons/probe/src/chat.rs`).
// A client that falls behind goes on from the log, so two rules do not hold, both about the
// 4008 that it would get without one.
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_client_that_never_reads_again_is_disconnected,
}

// What every chat in JSON does (`lessons/probe/src/json.rs`).
probe::json_conformance!(chat());

// What every chat with rooms does (`lessons/probe/src/rooms.rs`).
probe::room_conformance!(app, path, said);

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    Chat { said, ..probe::rooms::chat(talkative, |name| path("rust", name)) }
}

/// A chat has a number, whatever the number is.
fn said(name: &str, text: &str) -> Expected {
    people::chat_from(name, text).into()
}

/// A server on which one person may send much, but an outbox is soon full.
fn talkative() -> Router {
    app_with(Config {
        messages_per_second: people::at_least_one(10_000),
        message_burst: people::at_least_one(10_000),
        outbox_size: 256,
        ..config()
    })
}

fn app() -> Router {
    app_with(config())
}

fn app_with(config: Config) -> Router {
    app_of(state(&config), &config)
}

fn app_of(state: AppState, config: &Config) -> Router {
    routes(state, config)
        .layer(MockConnectInfo(SocketAddr::from(([192, 0, 2, 1], 50_000))))
}

fn state(config: &Config) -> AppState {
    AppState::new(config, Shutdown::default()).expect("a good configuration")
}

/// The server as `main` runs it: with its own accept loop.
fn serve_as_main(config: Config) -> Server {
    serve_by(async move |listener| {
        let state = state(&config);
        let shutdown = state.shutdown.clone();
        let app = routes(state, &config);
        server::serve(listener, app, Arc::new(config), shutdown).await;
    })
}

/// Makes the database as full as it is, or lets it grow again.
async fn limits_pages(database: &Database, pages: i64) {
    let pragma = move |db: &Connection| {
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    };
    database.read(pragma).await.expect("a good pragma");
}
