use axum::Router;
use probe::{ANY, Expected, chat::Chat};
use serde_json::{Value, json};

use crate::{protocol::Username, tokens::Tokens};

mod heartbeat;

// What the lesson before has promised still holds.
#[path = "../../lesson_08_auth/src/tests/signing_in.rs"]
mod signing_in;

const SECRET: &[u8] = b"a secret for the tests, 32 bytes or more";

probe::manners!(app(), &path("rust", "ana"));
probe::chat_manners!(chat(), names: chosen);
probe::json_manners!(chat());
probe::room_manners!(app, path);
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app,
        names: ["ana", "ben", "cem"],
        path: |name| path("rust", name),
        says: |text| json!({ "type": "chat", "content": text }).to_string(),
        said: |name, text| chat_from(name, text).into(),
        left: |name| Expected::Json(json!({ "type": "user_left", "username": name })),
        hears_itself: true,
    }
}

fn app() -> Router {
    super::app(Tokens::new(SECRET))
}

/// Where somebody who has signed in finds a room.
fn path(room: &str, name: &str) -> String {
    let username = Username::try_from(name.to_owned()).expect("a good name");
    format!("/ws/chat/{room}?token={}", Tokens::new(SECRET).issue(username))
}

fn chat_from(name: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": name, "content": content, "timestamp": ANY })
}
