//! Another right answer: a `Default` of our own, and a `let … else` for each case.

use axum::{
    Router,
    extract::{
        FromRequestParts, Query,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{StatusCode, header::USER_AGENT, request::Parts},
    response::Response,
    routing::any,
};
use serde::Deserialize;

use crate::socket::with_limits;

pub fn router() -> Router {
    Router::new().route("/warm_up_05/ws", any(ws_handler))
}

/// What a client may choose, as in `?repeat=3`.
#[derive(Deserialize)]
#[serde(default)] // Each missing field is taken from `Options::default()`.
struct Options {
    /// How often each text comes back.
    repeat: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { repeat: 1 }
    }
}

/// What the client is, in its own words, such as `curl/8.5.0`.
struct UserAgent(String);

type Rejection = (StatusCode, &'static str);

/// What a client gets that does not say what it is. The status is 400.
const MISSING: &str = "Say what you are, in the header User-Agent.";

impl<S: Send + Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Rejection;

    /// Takes the text of the header `User-Agent`. It may be missing, empty, or no text.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let Some(value) = parts.headers.get(USER_AGENT) else {
            return Err((StatusCode::BAD_REQUEST, MISSING));
        };
        let text = value.to_str().map_err(|_| (StatusCode::BAD_REQUEST, MISSING))?;
        if text.is_empty() {
            return Err((StatusCode::BAD_REQUEST, MISSING));
        }
        Ok(Self(text.to_owned()))
    }
}

async fn ws_handler(
    UserAgent(agent): UserAgent,
    Query(options): Query<Options>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, agent, options))
}

/// Greets the client, and repeats what it says.
async fn handle_socket(mut socket: WebSocket, agent: String, options: Options) {
    let mut answers = vec![format!("Hello, {agent}!").into()];

    loop {
        for text in answers {
            if socket.send(Message::Text(text)).await.is_err() {
                return;
            }
        }
        answers = match socket.recv().await {
            Some(Ok(Message::Text(text))) => vec![text; options.repeat.into()],
            Some(Ok(_)) => vec![],
            Some(Err(_)) | None => return,
        };
    }
}
