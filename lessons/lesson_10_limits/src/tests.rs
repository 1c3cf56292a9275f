mod limits;

// What the lessons before have promised still holds.
#[path = "../../lesson_09_heartbeat/src/tests/guests.rs"]
mod guests;
#[path = "../../lesson_09_heartbeat/src/tests/heartbeat.rs"]
mod heartbeat;
#[path = "../../lesson_09_heartbeat/src/tests/signing_in.rs"]
mod signing_in;

use axum::Router;
use probe::{Server, chat::Chat, serve_by};

use self::guests::{SECRET, path};
use crate::{limits::Limits, serving, tokens::Tokens};

probe::conformance!(app(), &path("rust", "ana"));
probe::chat_conformance!(chat());
probe::json_conformance!(chat());
probe::room_conformance!(app, path);
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(limits::talkative, |name| path("rust", name))
}

fn app() -> Router {
    app_with(Limits::default())
}

fn app_with(limits: Limits) -> Router {
    super::app(Tokens::new(SECRET), limits)
}

/// The server as `main` runs it: with its own door.
fn serve_as_main(limits: Limits) -> Server {
    serve_by(move |listener| serving::serve(listener, app_with(limits), limits))
}
