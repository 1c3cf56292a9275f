mod agreement;
mod api;
mod asking;
mod channels;
mod database;
mod guests;
mod heartbeat;
mod limits;
mod signing_in;

use axum::Router;
use probe::{Server, chat::Chat, serve_by};

use self::guests::{SECRET, path};
use crate::{database::Database, limits::Limits, serving, tokens::Tokens};

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
    super::app(Tokens::new(SECRET), limits, in_memory())
}

fn app_on(database: Database) -> Router {
    super::app(Tokens::new(SECRET), Limits::default(), database)
}

fn in_memory() -> Database {
    Database::in_memory().expect("memory is always there")
}

/// The server as `main` runs it: with its own door.
fn serve_as_main(limits: Limits) -> Server {
    serve_by(move |listener| serving::serve(listener, app_with(limits), limits))
}
