mod heartbeat;

// What the lesson before has promised still holds.
#[path = "../../lesson_08_auth/src/tests/guests.rs"]
mod guests;
#[path = "../../lesson_08_auth/src/tests/signing_in.rs"]
mod signing_in;

use axum::Router;
use probe::chat::Chat;

use self::guests::{SECRET, path};
use crate::tokens::Tokens;

probe::manners!(app(), &path("rust", "ana"));
probe::chat_manners!(chat(), names: chosen);
probe::json_manners!(chat());
probe::room_manners!(app, path);
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    super::app(Tokens::new(SECRET))
}
