//! Warm-up for lesson 08: an origin and a cookie.
//!
//! The two checks before the upgrade, from which page and from whom, with nothing but the
//! headers of the request. Instead of a signed token there is one session, that of Ana.
//!
//! Read first: lesson 08, stage 5, "From which page" and "Where the token is"
//! Edit:       this file, in two places
//! Check:      cargo course check warm_up_08
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html with the address
//!             /warm_up_08/ws. Connect; then type this in the console (F12), and connect again:
//!             document.cookie = "warm_up_08=YW5hLTQ3MTE=; path=/"

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use axum::{
    Router,
    extract::{
        FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, HOST, ORIGIN},
        request::Parts,
    },
    response::Response,
    routing::any,
};

use crate::socket::with_limits;

/// The name of our cookie. Cookies belong to a host, and other programs have theirs, too.
const COOKIE_NAME: &str = "warm_up_08";

/// The value that Ana's browser has. In a real service it is a long random number or a
/// signed token, and only one person has it.
const SESSION: &str = "YW5hLTQ3MTE=";

type Rejection = (StatusCode, &'static str);

/// A request from our own page, or from no page at all.
struct AllowedOrigin;

impl<S: Sync> FromRequestParts<S> for AllowedOrigin {
    type Rejection = Rejection;

    /// Checks from which page the request comes.
    ///
    /// What it promises: a request without `Origin` is from a program, and may pass. A page
    /// of ours may pass: its origin is `http://` and then what is in `Host`, the header with
    /// the host that the client has asked for. All others are rejected with 403, *Forbidden*,
    /// and a sentence of your own.
    ///
    /// What makes it interesting: an attacker can have a domain that begins or ends like ours.
    ///
    /// - `parts.headers.get(ORIGIN)` is an `Option`. What does `None` mean here?
    /// - How do you compare two origins, so that no part of them is left out?
    /// - `*origin == text` compares a `HeaderValue` with a `String`. To read one as a text,
    ///   there is `to_str`, which returns a `Result`.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Err((StatusCode::NOT_IMPLEMENTED, ""))
    }
}

/// The value of the cookie with this name.
///
/// A browser sends all cookies of a host in one header: `theme=dark; warm_up_08=YW5hLTQ3MTE=`.
///
/// What makes it interesting: ours need not be the first one; the names of others may begin
/// or end like ours; and a value may have a `=` in it.
///
/// - `headers.get(COOKIE)` returns an `Option`, and `to_str` of it a `Result`. `?` and `ok`
///   take you through both.
/// - Where would you split the text, and what has to be trimmed?
/// - `find_map` calls a closure for each part, until one returns `Some`. If you split at each
///   `=`, what is left of the value? Which method splits at the first one only?
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    None
}

/// Somebody who has signed in.
struct CurrentUser {
    username: &'static str,
}

impl<S: Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        match cookie(&parts.headers, COOKIE_NAME) {
            Some(SESSION) => Ok(Self { username: "ana" }),
            Some(_) => Err((StatusCode::UNAUTHORIZED, "This session is not known.")),
            None => Err((StatusCode::UNAUTHORIZED, "A cookie is missing: sign in.")),
        }
    }
}

pub fn router() -> Router {
    Router::new().route("/warm_up_08/ws", any(ws_handler))
}

/// Extractors run from left to right: first the page, then the person.
async fn ws_handler(
    _: AllowedOrigin,
    user: CurrentUser,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, user))
}

/// Greets the client, and waits until it leaves.
async fn handle_socket(mut socket: WebSocket, user: CurrentUser) {
    let greeting = format!("Welcome, {}!", user.username);
    if socket.send(Message::Text(greeting.into())).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
