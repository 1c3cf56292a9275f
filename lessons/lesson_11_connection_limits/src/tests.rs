#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;

mod configuration;
mod connections;
mod rooms;

use axum::Router;
use probe::chat::Chat;

use self::people::{auth, path, seen_from, token};
use crate::config::Config;

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
    app_with(&config())
}

fn app_with(config: &Config) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), config))
}

/// The configuration of somebody who has set no variable.
fn config() -> Config {
    Config::read(|_| None).expect("the defaults agree with each other")
}
