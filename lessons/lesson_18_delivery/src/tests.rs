mod acknowledging;
mod bounds;
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod resuming;
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
    ANY, Client, Expected, Hint, ONE_MINUTE, Server, chat::Chat, rooms::chat_from, serve,
};
use serde_json::{Value, json};
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

/// A chat with this number, whatever else it has.
fn numbered(seq: i64) -> Value {
    json!({
        "type": "chat", "room": "rust", "from": ANY, "content": ANY, "timestamp": ANY, "seq": seq
    })
}

/// What a client sends that wants its chat to be acknowledged.
fn chat_with_id(id: &str, content: &str) -> String {
    json!({ "type": "chat", "id": id, "content": content }).to_string()
}

fn ack(id: &str, seq: i64) -> Value {
    json!({ "type": "ack", "id": id, "seq": seq })
}

fn gap(next: i64) -> Value {
    json!({ "type": "gap", "next": next })
}

/// Where somebody comes back to the room "rust" who has seen the chats up to `seq`.
fn resume(name: &str, seq: i64, log: &str) -> String {
    format!("{}&resume={seq}&log={log}", path("rust", name))
}

/// The numbers of the chats that came, and of gaps, as `-next`.
async fn numbers(client: &mut Client) -> Vec<i64> {
    let received = client.hears_out(ONE_MINUTE).await;
    let messages = received.iter().filter_map(|text| serde_json::from_str(text).ok());
    messages
        .filter_map(|message: Value| match message["type"].as_str() {
            Some("chat") => message["seq"].as_i64(),
            Some("gap") => message["next"].as_i64().map(|next| -next),
            _ => None,
        })
        .collect()
}

/// Somebody who has seen nothing yet. Also returns the id of the log.
async fn newcomer(server: &Server, name: &str) -> Result<(Client, String), Hint> {
    let path = format!("{}&resume=0", path("rust", name));
    let mut client = server.connect(name, &path).await?;
    let welcome: Value =
        serde_json::from_str(&client.hears_any().await?).unwrap_or_default();
    match welcome["log"].as_str() {
        Some(log) if welcome["type"] == "welcome" => Ok((client, log.to_owned())),
        _ => Err(server.hint(format!("{name} should get a welcome, but got {welcome}."))),
    }
}

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
