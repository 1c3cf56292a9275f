#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;

mod heartbeat;

use axum::Router;
use probe::chat::Chat;

use self::people::{auth, path, seen_from, token};

probe::conformance! { app(), &path("rust", "ana") }
probe::chat_conformance! { chat() }
probe::json_conformance! { chat() }
probe::room_conformance! { app, path }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    seen_from([192, 0, 2, 1], super::app(auth()))
}
