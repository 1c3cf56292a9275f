//! What the log promises: nothing is lost, and nothing comes twice.

mod acknowledging;
mod bounds;
mod busy_log;
mod faults;
mod meetings;
mod resuming;
mod stories;

use std::time::Duration;

use probe::{ANY, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    live::TempFile,
    people::{self, path},
    talkative as app,
};
use crate::{app::AppState, config::Config, server::Shutdown};

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

/// A configuration in which one person may send much.
fn talkative() -> Config {
    let many = people::at_least_one(10_000);
    Config { messages_per_second: many, message_burst: many, ..people::config() }
}

/// A file for a log. It is removed with the value.
struct LogFile(TempFile);

impl LogFile {
    fn new(name: &str) -> Self {
        Self(TempFile::new(&format!("log-{name}")))
    }

    fn config(&self) -> Config {
        Config { database: Some(self.0.0.clone()), ..talkative() }
    }

    /// A server on this file. If there was another one, its clients must be gone.
    async fn serve(&self) -> Result<Server, Hint> {
        sleep(Duration::from_secs(1)).await;
        let config = self.config();
        let state = AppState::new(&config, Shutdown::default()).map_err(|sentence| {
            Hint::new(format!("The old server should have left its file: {sentence}"))
        })?;
        Ok(serve(super::app_of(state, &config)))
    }
}
