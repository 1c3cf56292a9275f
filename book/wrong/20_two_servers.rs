//! A wrong way: two servers of lesson 08 behind a load balancer.

use axum::{Router, extract::FromRef, routing::any};
use lesson_08_auth::{Auth, RoomManager, Username, ws_handler};

#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    auth: Auth,
}

/// Both servers have one secret, so each accepts the tokens of the other.
fn auth() -> Auth {
    let secret = b"the same secret on both, 32 bytes or more";
    Auth::new(secret, "chat").expect("a secret that is long enough")
}

pub fn server() -> Router {
    Router::new()
        .route("/ws/chat/{room}", any(ws_handler))
        .with_state(AppState { rooms: RoomManager::default(), auth: auth() })
}

/// Where somebody who has signed in connects.
pub fn path(name: &str) -> String {
    let username = Username::try_from(name.to_owned()).expect("a good name");
    format!("/ws/chat/rust?token={}", auth().issue(username))
}
