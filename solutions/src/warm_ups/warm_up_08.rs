//! Warm-up for lesson 08: an origin and a cookie, solved.

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
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return Ok(Self); // Not a browser, so there is no cookie to abuse.
        };
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        // Whole, with `==`: a part of it could be a part of an attacker's domain.
        if host.is_some_and(|host| *origin == format!("http://{host}")) {
            Ok(Self)
        } else {
            Err((StatusCode::FORBIDDEN, "Pages of this origin may not connect."))
        }
    }
}

/// The value of the cookie with this name.
///
/// The header has all cookies of the host: `theme=dark; warm_up_08=YW5hLTQ3MTE=`.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|cookie| {
        // At the first `=` only: the value may have one, too. And the whole name is compared.
        let (key, value) = cookie.trim().split_once('=')?;
        (key == name).then_some(value)
    })
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
