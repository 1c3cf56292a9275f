//! One story of a bad network, with the server of lesson 08 and with that of lesson 18.
//!
//! People write to each other while their connections break, after any byte, and while the
//! server crashes and starts again (`lessons/probe/src/delivery.rs`).
//!
//! Run: cargo run -p lesson_18_delivery --example bad_network
//!
//! A number after `--` is the seed of another story.

use std::{
    env, fs, io,
    path::Path,
    process,
    sync::{Arc, LazyLock},
};

use axum::{Router, extract::FromRef, routing::any};
use lesson_08_auth::{Auth, Username};
use lesson_18_delivery::SqliteLog;
use probe::delivery::{Protocol, Report, Story};

/// A story with both: connections that break, and crashes.
const SEED: u64 = 6;

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let secret = b"a secret for this example, 32 bytes or more";
    Auth::new(secret, env!("CARGO_PKG_NAME")).expect("a secret that is long enough")
});

fn main() -> io::Result<()> {
    let seed = env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let story = Story::new(seed);
    println!("{story}\n");

    let folder = env::temp_dir().join(format!("bad-network-{}", process::id()));
    fs::create_dir(&folder)?;
    let plain = story.run(Protocol::Plain, lesson_08, path);
    let again = story.run(Protocol::SendAgain, lesson_08, path);
    let database = folder.join("chat.db");
    let delivery = story.run(Protocol::Delivery, || lesson_18(&database), path);
    fs::remove_dir_all(folder)?;

    println!(
        "{:<26}{:>6}{:>14}{:>11}{:>6}{:>8}",
        "", "sent", "acknowledged", "delivered", "lost", "double"
    );
    print("lesson 08", &plain);
    print("lesson 08, sending again", &again);
    print("lesson 18", &delivery);
    delivery.check(env!("CARGO_PKG_NAME")).map_err(io::Error::other)
}

fn print(what: &str, report: &Report) {
    let Report { sent, acknowledged, delivered, lost, double, .. } = report;
    println!("{what:<26}{sent:>6}{acknowledged:>14}{delivered:>11}{lost:>6}{double:>8}");
}

/// Where somebody who has signed in connects to a room.
fn path(room: &str, name: &str) -> String {
    let username = Username::try_from(name.to_owned()).expect("a good name");
    format!("/ws/chat/{room}?token={}", AUTH.issue(username))
}

fn lesson_08() -> Router {
    #[derive(Clone, FromRef)]
    struct AppState {
        rooms: lesson_08_auth::RoomManager,
        auth: Auth,
    }

    let rooms = lesson_08_auth::RoomManager::default();
    Router::new()
        .route("/ws/chat/{room}", any(lesson_08_auth::ws_handler))
        .with_state(AppState { rooms, auth: AUTH.clone() })
}

fn lesson_18(database: &Path) -> Router {
    #[derive(Clone, FromRef)]
    struct AppState {
        rooms: lesson_18_delivery::RoomManager,
        log: Arc<SqliteLog>,
        auth: Auth,
    }

    let rooms = lesson_18_delivery::RoomManager::default();
    let log =
        SqliteLog::open(database, rooms.clone()).expect("a file that can be opened");
    Router::new()
        .route("/ws/chat/{room}", any(lesson_18_delivery::ws_handler::<SqliteLog>))
        .with_state(AppState { rooms, log: Arc::new(log), auth: AUTH.clone() })
}
