use std::time::Duration;

use axum::Router;
use probe::{ANY, Expected, Server, chat::Chat, serve_by};
use serde_json::{Value, json};

use crate::{
    database::Database, lifespan::Lifespan, limits::Limits, protocol::Username, serving,
    tasks::Tasks, tokens::Tokens,
};

mod lifespan;

// What the lessons before have promised still holds.
#[path = "../../lesson_09_heartbeat/src/tests/heartbeat.rs"]
mod heartbeat;
#[path = "../../lesson_10_limits/src/tests/limits.rs"]
mod limits;
#[path = "../../lesson_08_auth/src/tests/signing_in.rs"]
mod signing_in;
#[path = "../../lesson_12_tasks/src/tests/tasks.rs"]
mod tasks;

const SECRET: &[u8] = b"a secret for the tests, 32 bytes or more";
const SECOND: Duration = Duration::from_secs(1);

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
    app_with(Limits::default())
}

fn app_with(limits: Limits) -> Router {
    app_of(limits, Tasks::default())
}

fn app_of(limits: Limits, tasks: Tasks) -> Router {
    living(limits, tasks, Lifespan::default())
}

fn living(limits: Limits, tasks: Tasks, lifespan: Lifespan) -> Router {
    let database = Database::in_memory().expect("memory is always there");
    super::app(Tokens::new(SECRET), limits, database, tasks, lifespan)
}

/// The server as `main` runs it: with its own door.
fn serve_as_main(limits: Limits) -> Server {
    serve_by(move |listener| {
        let lifespan = Lifespan::default();
        let app = living(limits, Tasks::default(), lifespan.clone());
        serving::serve(listener, app, limits, lifespan)
    })
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
    Tokens::new(SECRET).issue(username(name))
}

fn username(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}

fn chat_from(name: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": name, "content": content, "timestamp": ANY })
}

fn error(message: impl Into<String>) -> Value {
    json!({ "type": "error", "message": message.into() })
}
