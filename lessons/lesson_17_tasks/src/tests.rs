mod tasks;

// What the lessons before have promised still holds.
#[path = "../../lesson_14_live_data/src/tests/agreement.rs"]
mod agreement;
#[path = "../../lesson_14_live_data/src/tests/api.rs"]
mod api;
#[path = "../../lesson_14_live_data/src/tests/asking.rs"]
mod asking;
#[path = "../../lesson_14_live_data/src/tests/channels.rs"]
mod channels;
#[path = "../../lesson_14_live_data/src/tests/database.rs"]
mod database;
#[path = "../../lesson_14_live_data/src/tests/guests.rs"]
mod guests;
#[path = "../../lesson_14_live_data/src/tests/heartbeat.rs"]
mod heartbeat;
#[path = "../../lesson_14_live_data/src/tests/limits.rs"]
mod limits;
#[path = "../../lesson_14_live_data/src/tests/signing_in.rs"]
mod signing_in;

use axum::Router;
use probe::{Server, chat::Chat, serve_by};

use self::guests::{SECRET, path};
use crate::{database::Database, limits::Limits, serving, tasks::Tasks, tokens::Tokens};

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
    app_of(limits, Tasks::default())
}

fn app_of(limits: Limits, tasks: Tasks) -> Router {
    super::app(Tokens::new(SECRET), limits, in_memory(), tasks)
}

fn app_on(database: Database) -> Router {
    super::app(Tokens::new(SECRET), Limits::default(), database, Tasks::default())
}

fn in_memory() -> Database {
    Database::in_memory().expect("memory is always there")
}

/// The server as `main` runs it: with its own door.
fn serve_as_main(limits: Limits) -> Server {
    serve_by(move |listener| serving::serve(listener, app_with(limits), limits))
}
