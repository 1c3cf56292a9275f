mod agreement;
mod api;
mod channels;
mod database;

use std::time::Duration;

use axum::{Router, http::Request};
use probe::{
    ANY, Check, Client, Expected, Hint, ONE_MINUTE, Server, chat::Chat, serve, serve_by,
};
use serde_json::{Value, json};

use crate::{
    database::Database,
    limits::Limits,
    protocol::Username,
    serving,
    tokens::{TOKEN_LIFETIME, Tokens},
};

// What the lessons before have promised still holds.
#[path = "../../lesson_09_heartbeat/src/tests/heartbeat.rs"]
mod heartbeat;
#[path = "../../lesson_10_limits/src/tests/limits.rs"]
mod limits;
#[path = "../../lesson_08_auth/src/tests/signing_in.rs"]
mod signing_in;

const SECOND: Duration = Duration::from_secs(1);

const SECRET: &[u8] = b"a secret for the tests, 32 bytes or more";

probe::manners!(app(), &path("rust", "ana"));
probe::chat_manners!(chat(), names: chosen);
probe::json_manners!(chat());
probe::room_manners!(app, path);
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app: talkative,
        names: ["ana", "ben", "cem"],
        path: |name| path("rust", name),
        says: |text| json!({ "type": "chat", "content": text }).to_string(),
        said: |name, text| chat_from(name, text).into(),
        left: |name| Expected::Json(json!({ "type": "user_left", "username": name })),
        hears_itself: true,
    }
}

fn app() -> Router {
    app_on(Database::in_memory().expect("memory is always there"))
}

fn app_on(database: Database) -> Router {
    super::app(Tokens::new(SECRET), Limits::default(), database)
}

fn app_with(limits: Limits) -> Router {
    let database = Database::in_memory().expect("memory is always there");
    super::app(Tokens::new(SECRET), limits, database)
}

/// The server as `main` runs it: with its own door.
fn serve_as_main(limits: Limits) -> Server {
    serve_by(move |listener| serving::serve(listener, app_with(limits), limits))
}

/// A server on which one person may say much, but an outbox is soon full.
fn talkative() -> Router {
    app_with(Limits {
        messages_per_second: 10_000,
        burst: 10_000,
        outbox: 256,
        ..Limits::default()
    })
}

/// Where somebody who has signed in finds a room.
fn path(room: &str, name: &str) -> String {
    format!("/ws/chat/{room}?token={}", token(name))
}

fn token(name: &str) -> String {
    let username = Username::try_from(name.to_owned()).expect("a good name");
    Tokens::new(SECRET).issue(username)
}

/// What the API said.
struct Reply {
    status: u16,
    body: Value,
    /// The number of the change.
    change: Option<i64>,
}

/// Asks the API for something, as in `asks(&server, "ana", "GET /users", Value::Null)`.
async fn asks(
    server: &Server,
    who: &str,
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let headers = [("authorization", format!("Bearer {}", token(who)))];
    asks_with(server, &headers, what, body).await
}

async fn asks_with(
    server: &Server,
    headers: &[(&str, String)],
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let (method, path) = what.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let (kind, text) = match body {
        Value::Null => ("text/plain", String::new()),
        body => ("application/json", body.to_string()),
    };
    let request = request.header("content-type", kind).body(text);
    let answer = server.request(request.expect("a good request")).await?;

    let change =
        answer.headers.get("x-change").and_then(|it| it.to_str().ok()?.parse().ok());
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(Reply { status: answer.status.as_u16(), body, change })
}

/// Somebody follows a channel, and has been greeted.
async fn follows(server: &Server, who: &str, channel: &str) -> Result<Client, Hint> {
    let path = format!("/api/v1/ws/{channel}?token={}&client_id={who}-1", token(who));
    let mut client = server.connect(who, &path).await?;
    client.hears_any().await?;
    Ok(client)
}

fn chat_from(name: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": name, "content": content, "timestamp": ANY })
}

fn error(message: impl Into<String>) -> Value {
    json!({ "type": "error", "message": message.into() })
}
