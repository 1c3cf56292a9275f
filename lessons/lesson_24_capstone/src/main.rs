//! Lesson 24: the capstone, the whole server.
//!
//! Before: each lesson had one idea, and was alone with it.
//! Now:    a chat that loses nothing, live data and tasks in one server, with sign-in and all
//!         limits.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a folder for each feature, and dependencies that point one way (`app.rs`);
//! 2. one configuration, checked before the start (`config.rs`);
//! 3. what only shows when the parts meet (the chapter is a tour of it).
//!
//! Run:   cargo run -p lesson_24_capstone
//!        With CHAT_NATS_URL, it is one of several nodes. Without it, it is alone.
//! Open:  http://127.0.0.1:8000/lesson_24.html
//! Check: cargo test -p lesson_24_capstone

mod app;
mod auth;
mod chat;
mod cluster;
mod config;
mod database;
mod delivery;
mod error;
mod extract;
mod limits;
mod live;
mod names;
mod sentence;
mod server;
mod session;
mod sizes;
mod tasks;
mod telemetry;
mod text;

use std::{process, sync::Arc};

use crate::{
    app::{AppState, app},
    config::Config,
    server::{Shutdown, serve},
};

/// The exit code when some clients did not leave in time.
const LEFT_BEHIND: i32 = 3;

/// The exit code when the program has ended by itself: an internal error, in the numbers of
/// `sysexits.h`.
const SOFTWARE: i32 = 70;

#[tokio::main]
async fn main() {
    let config = Config::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let log = telemetry::init(&config);
    let shutdown = Shutdown::default();
    let state = AppState::new(&config, shutdown.clone())
        .unwrap_or_else(|sentence| pages::quit(sentence));
    shutdown.on_signal(config.shutdown_delay);
    let failure = shutdown.on_end(state.clone().ended());

    tokio::spawn(telemetry::measure_lag(state.metrics.clone()));
    if let Some(addr) = config.metrics_addr {
        let served = telemetry::serve_metrics(addr, state.metrics.clone()).await;
        served.unwrap_or_else(|sentence| pages::quit(sentence));
    }

    // The port comes last: whoever connects finds everything ready.
    let listener = pages::listen_on(config.addr).await;
    server::notify("READY=1");
    let (node, database) = (state.node.clone(), state.database.clone());
    let app = app(state, &config);
    let left = serve(listener, app, Arc::new(config), shutdown).await;
    let has_failed = failure.is_finished();
    node.end().await;
    database.close().await;

    drop(log); // It writes what it still has.
    // To return is not enough: tokio would still wait for `spawn_blocking`.
    process::exit(match left {
        _ if has_failed => SOFTWARE,
        0 => 0,
        _ => LEFT_BEHIND,
    });
}

#[cfg(test)]
mod tests;
