//! People who have signed in, for the tests.

use std::net::SocketAddr;

use axum::{Router, extract::connect_info::MockConnectInfo};
use lesson_08_auth::{Auth, Username};

pub const SECRET: &[u8] = b"a secret for the tests, 32 bytes or more";

/// Where somebody who has signed in connects to a room.
pub fn path(room: &str, name: &str) -> String {
    format!("/ws/chat/{room}?token={}", token(name))
}

pub fn token(name: &str) -> String {
    auth().issue(username(name))
}

pub fn auth() -> Auth {
    Auth::new(SECRET, env!("CARGO_PKG_NAME")).expect("a secret that is long enough")
}

pub fn username(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}

/// The server, for clients that all come from this address.
pub fn seen_from(address: [u8; 4], app: Router) -> Router {
    app.layer(MockConnectInfo(SocketAddr::from((address, 50_000))))
}
