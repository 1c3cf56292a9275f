//! Lesson 08: signing in.
//!
//! Before: everybody was who they said they were.
//! Now:    people sign in, and a signed token says who they are, for a while.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a password, checked against its hash (`login.rs`, `users.rs`, `login_limits.rs`);
//! 2. a JSON Web Token, signed by us, and every reason to reject one (`tokens.rs`);
//! 3. two extractors before the upgrade: from which page, and from whom (`extract.rs`).
//!
//! Run:   cargo run -p lesson_08_auth
//! Open:  http://127.0.0.1:8000/lesson_08.html in two windows
//! Check: cargo test -p lesson_08_auth

mod client;
mod extract;
mod login;
mod login_limits;
mod protocol;
mod rooms;
mod socket;
mod tokens;
mod users;

use std::{io, net::SocketAddr};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, Path, State, ws::WebSocketUpgrade},
    response::Response,
    routing::{any, get, post},
};

use crate::{
    client::handle_socket,
    extract::{AllowedOrigin, AllowedOrigins, CurrentUser, SUBPROTOCOL},
    login::{MAX_LOGIN_SIZE, login, me},
    login_limits::LoginLimits,
    protocol::RoomName,
    rooms::{RoomManager, RoomSummary},
    socket::with_limits,
    tokens::Tokens,
    users::Users,
};

/// What all requests share. It is only a handle: clone it freely.
///
/// `FromRef` lets a handler ask for the part that it needs, as in `State<Users>`.
#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    tokens: Tokens,
    users: Users,
    limits: LoginLimits,
    origins: AllowedOrigins,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    let tokens = Tokens::from_env().unwrap_or_else(|sentence| pages::quit(sentence));
    let origins =
        AllowedOrigins::from_env().unwrap_or_else(|sentence| pages::quit(sentence));

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    // With the address of each client, because sign-in counts attempts by address.
    let app = app(tokens, origins).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app(tokens: Tokens, origins: AllowedOrigins) -> Router {
    Router::new()
        .route("/login", post(login).layer(DefaultBodyLimit::max(MAX_LOGIN_SIZE)))
        .route("/me", get(me))
        .route("/ws/chat/{room}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_08.html"))
        .with_state(AppState {
            rooms: RoomManager::default(),
            tokens,
            users: Users::default(),
            limits: LoginLimits::default(),
            origins,
        })
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn ws_handler(
    _: AllowedOrigin,
    user: CurrentUser,
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade)
        .protocols([SUBPROTOCOL])
        .on_upgrade(|socket| handle_socket(socket, rooms, room, user))
}

#[cfg(test)]
mod tests;
