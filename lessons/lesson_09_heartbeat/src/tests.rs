mod heartbeat;

// What the lesson before has promised still holds.
mod guests;
mod signing_in;

use axum::Router;
use probe::chat::Chat;

use self::guests::{SECRET, path};
use crate::tokens::Tokens;

probe::conformance!(app(), &path("rust", "ana"));
probe::chat_conformance!(chat());
probe::json_conformance!(chat());
probe::room_conformance!(app, path);
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    super::app(Tokens::new(SECRET))
}
