//! Warm-up for lesson 05: a header and a default, solved.

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
struct Options {
    /// How often each text comes back.
    #[serde(default = "once")]
    repeat: u8,
}

/// Why a function? The default of a `u8` is 0, and then nothing would come back.
fn once() -> u8 {
    1
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
        // `ok` makes `None` of bytes that are no text, so there is one case for all of it.
        match parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()) {
            Some(text) if !text.is_empty() => Ok(Self(text.into())),
            _ => Err((StatusCode::BAD_REQUEST, MISSING)),
        }
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
