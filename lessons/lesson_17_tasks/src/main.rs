//! Lesson 17: long work.
//!
//! Before: a handler did all its work before it answered.
//! Now:    it starts the work and answers at once; a socket brings the progress.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. work on a thread for blocking code, with a limit on how much runs at once, and a
//!    way to cancel it (`worker.rs`, `word_count.rs`);
//! 2. `watch`, a channel that keeps the newest state only (`task_list.rs`, `ws.rs`);
//! 3. a stop that cancels what runs (here).
//!
//! Run:   cargo run -p lesson_17_tasks
//! Open:  http://127.0.0.1:8000/lesson_17.html in two windows
//! Check: cargo test -p lesson_17_tasks

mod api;
mod task_list;
mod word_count;
mod worker;
mod ws;

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, extract::FromRef};
use lesson_08_auth::{Auth, auth_routes};
use tokio::signal;

use crate::task_list::Tasks;

/// How long sockets and tasks have to end after Ctrl-C. Then the sockets are dropped.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<Tasks>`.
#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    tasks: Tasks,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let auth = Auth::from_env(env!("CARGO_PKG_NAME"))
        .unwrap_or_else(|sentence| pages::quit(sentence));
    let tasks = Tasks::default();

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(auth, tasks.clone());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app)
        .with_graceful_shutdown(tasks.stopping.clone().cancelled_owned());
    tasks.tracker.spawn(server.into_future());

    signal::ctrl_c().await?;
    tasks.stop(STOP_TIMEOUT).await;
    Ok(())
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(auth: Auth, tasks: Tasks) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .merge(api::routes())
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_17.html"))
        .with_state(AppState { auth, tasks })
}

#[cfg(test)]
mod tests;
