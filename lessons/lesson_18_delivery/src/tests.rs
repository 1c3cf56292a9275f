mod bounds;
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod restarting;
mod stories;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use axum::Router;
use lesson_18_delivery::{RoomManager, SqliteLog};
use probe::{
    ANY, Expected, Hint, Server, chat::Chat, resuming::Resuming, rooms::chat_from, serve,
};
use serde_json::json;
use tokio::time::sleep;

use self::people::{auth, path, seen_from, token};

probe::transcripts!(app());
probe::conformance! { app(), &path("rust", "ana") }
// A client that does not read is not closed because its outbox is full: the rest is in the
// log. So two rules do not hold, both about the 4008 that it would find then.
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_client_that_never_reads_again_is_disconnected,
}
probe::json_conformance! { chat() }
probe::room_conformance! { app, path, said }
probe::delivery_conformance! { app, path }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }

fn chat() -> Chat {
    Chat { said, ..probe::rooms::chat(app, |name| path("rust", name)) }
}

/// A chat has a number, whatever the number is.
fn said(name: &str, text: &str) -> Expected {
    let mut chat = chat_from(name, text);
    chat["seq"] = json!(ANY);
    chat.into()
}

/// The chat, for clients that come back.
const RESUMING: Resuming = Resuming { start: app, path };

fn app() -> Router {
    app_on(Path::new(":memory:")).expect("a database in memory")
}

/// The server with the log in this file.
fn app_on(database: &Path) -> Result<Router, String> {
    let rooms = RoomManager::default();
    let log = SqliteLog::open(database, rooms.clone())?;
    Ok(seen_from([192, 0, 2, 1], super::app(auth(), rooms, log)))
}

/// A file for a log. It is removed with the value.
struct LogFile(PathBuf);

impl LogFile {
    fn new(name: &str) -> Self {
        let file = env::temp_dir().join(format!("delivery-{}-{name}.db", process::id()));
        Self(file)
    }

    /// A server on this file. If there was another one, its clients must be gone.
    async fn serve(&self) -> Result<Server, Hint> {
        sleep(Duration::from_secs(1)).await;
        app_on(&self.0).map(serve).map_err(|reason| {
            Hint::new(format!("The old server should have left its file: {reason}."))
        })
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(end);
            let _ = fs::remove_file(name); // Or there is none.
        }
    }
}
