mod guests;
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
