mod people;
mod signing_in;

use std::net::SocketAddr;

use axum::{Router, extract::connect_info::MockConnectInfo};
use probe::chat::Chat;

use self::people::{SECRET, path};
use crate::{extract::AllowedOrigins, tokens::Tokens};

probe::conformance!(app(), &path("rust", "ana"));
probe::chat_conformance!(chat(), names: chosen);
probe::json_conformance!(chat());
probe::room_conformance!(app, path, names: nfc);
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    app_for(AllowedOrigins::default())
}

/// The server, for clients that all come from one address.
fn app_for(origins: AllowedOrigins) -> Router {
    let address = SocketAddr::from(([192, 0, 2, 1], 50_000));
    super::app(Tokens::new(SECRET), origins).layer(MockConnectInfo(address))
}
