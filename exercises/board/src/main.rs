//! The board: a page for the projector that shows how far a class is.
//!
//! It is built from what the lessons have taught, and is here to be read:
//!
//! 1. `protocol.rs`: what is sent, and what is refused (lesson 06);
//! 2. `class.rs`: the learners, and the pages that show them: a list of outboxes, a guard for
//!    each connection, a snapshot and then events (lessons 03, 07 and 14);
//! 3. `connection.rs`: one socket with its heartbeat and its limits (lessons 09, 10 and 12);
//! 4. `learner.rs` and `page.rs`: the two kinds of clients;
//! 5. `upgrade.rs`: from where one may connect, and how many may (lessons 08 and 11);
//! 6. `join.rs`: the addresses of this machine, and their QR codes.
//!
//! `files.rs` serves the pages, which are in the folder `pages`. `socket.rs` and
//! `heartbeat.rs` are no copies, but the files of lessons 08 and 09.
//!
//! Run:   cargo course board
//! Open:  http://127.0.0.1:8000
//! Check: cargo test -p board

mod class;
mod connection;
mod files;
#[path = "../../../lessons/lesson_09_heartbeat/src/heartbeat.rs"]
mod heartbeat;
mod join;
mod learner;
mod page;
mod protocol;
#[allow(dead_code)] // The board has no tokens that could expire.
#[path = "../../../lessons/lesson_08_auth/src/socket.rs"]
mod socket;
mod upgrade;

use std::{
    env,
    ffi::OsStr,
    io::{self, Write},
    net::SocketAddr,
    process,
};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};

use crate::{class::Class, join::Addresses, upgrade::Limits};

/// Where the board listens, unless `ADDR` says otherwise: on all addresses of this machine,
/// because the others of the class have to reach it.
const DEFAULT_ADDR: &str = "0.0.0.0:8000";

/// What all requests share. It is only a handle: clone it freely.
#[derive(Clone, FromRef)]
struct AppState {
    class: Class,
    limits: Limits,
    addresses: Addresses,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    if let Some(argument) = env::args_os().nth(1) {
        refuse(&argument);
    }
    let wanted = env::var("ADDR").unwrap_or_else(|_| DEFAULT_ADDR.into());
    let addr: SocketAddr = wanted.parse().unwrap_or_else(|_| {
        pages::quit(format!(
            "ADDR is {wanted:?}, but should be an IP address and a port, as in \
             ADDR={DEFAULT_ADDR}."
        ))
    });
    // This also prints where to look.
    let listener = pages::listen_without_lab(addr).await;
    let addresses = Addresses::of(axum::serve::Listener::local_addr(&listener)?);
    // Whether somebody reads it or not, the board goes on.
    let _ = writeln!(io::stdout(), "{}", addresses.welcome());

    axum::serve(listener, app(addresses)).await
}

/// Whoever types an argument expects that it changes something. A board that starts all the
/// same would leave them in doubt.
fn refuse(argument: &OsStr) -> ! {
    let sentence = format!(
        "The board takes no arguments, so {argument:?} means nothing to it. ADDR chooses where \
         it listens, as in ADDR={DEFAULT_ADDR}."
    );
    // Whether somebody reads it or not, this ends.
    let _ = writeln!(io::stderr(), "{sentence}");
    process::exit(2)
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(addresses: Addresses) -> Router {
    Router::new()
        .route("/qr.svg", get(join::qr_code))
        .route("/ws/learner", any(learner::ws_handler))
        .route("/ws/page", any(page::ws_handler))
        .merge(files::router())
        .with_state(AppState {
            class: Class::default(),
            limits: Limits::default(),
            addresses,
        })
}

#[cfg(test)]
mod tests;
