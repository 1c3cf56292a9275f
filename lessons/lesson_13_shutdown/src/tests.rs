#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod shutdown;

use axum::Router;
use probe::chat::Chat;

use self::people::{auth, path, seen_from, token};
use crate::shutdown::Shutdown;

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
    app_until(Shutdown::default())
}

/// The application, and what stops it.
fn app_until(shutdown: Shutdown) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), shutdown))
}
