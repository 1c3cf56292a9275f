//! Another right answer: it takes the beginnings off, and compares what is left.

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
        let headers = &parts.headers;
        let is_allowed = match (headers.get(ORIGIN), headers.get(HOST)) {
            (None, _) => true,
            (Some(origin), Some(host)) => {
                origin.as_bytes().strip_prefix(b"http://") == Some(host.as_bytes())
            }
            (Some(_), None) => false,
        };
        is_allowed.then_some(Self).ok_or((StatusCode::FORBIDDEN, "This is not our page."))
    }
}

/// The value of the cookie with this name.
///
/// The header has all cookies of the host: `theme=dark; warm_up_08=YW5hLTQ3MTE=`.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    for cookie in headers.get(COOKIE)?.to_str().ok()?.split(';') {
        let rest = cookie.trim_start().strip_prefix(name);
        if let Some(value) = rest.and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
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
