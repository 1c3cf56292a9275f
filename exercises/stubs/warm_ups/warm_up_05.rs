//! Warm-up for lesson 05: a header and a default.
//!
//! An echo server whose clients have to say what they are. Each does so in the header
//! `User-Agent`, and may choose in the query how often a text comes back.
//!
//! Read first: lesson 05, from "Options with defaults" to "The handler"
//! Edit:       this file, in two places
//! Check:      cargo course check warm_up_05
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html with the address
//!             /warm_up_05/ws?repeat=3 (a browser sends the header by itself)

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

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
///
/// What it promises: without `repeat`, each text comes back once. A value that is no `u8`
/// gets 400, and axum's sentence that names the field. Other parameters are ignored.
///
/// What makes it interesting: the default of the type, `u8`, is not the one that we want.
///
/// - What does `Query` do about a field that the query does not have?
/// - Which attribute in the lesson's `Options` names a function? Who calls that function?
#[derive(Deserialize)]
struct Options {
    /// How often each text comes back.
    repeat: u8,
}

/// What the client is, in its own words, such as `curl/8.5.0`.
struct UserAgent(String);

type Rejection = (StatusCode, &'static str);

/// What a client gets that does not say what it is. The status is 400.
const MISSING: &str = "Say what you are, in the header User-Agent.";

impl<S: Send + Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Rejection;

    /// Takes the text of the header `User-Agent`.
    ///
    /// What it promises: without the header, the client is rejected with the status 400 and
    /// the sentence `MISSING`. The same happens if the header is empty, or is no text.
    ///
    /// What makes it interesting: a header can be there, and tell us nothing. Its value is
    /// made of bytes, which anybody may choose. An `unwrap` here would let strangers panic
    /// our handler.
    ///
    /// - Where in `parts` are the headers? What does `get(USER_AGENT)` return?
    /// - `to_str` of a value returns a `Result`. Which method makes an `Option` of it, so
    ///   that you have one case for "missing" and for "no text"?
    /// - A match guard, as in `Some(text) if …`, can ask whether the text is empty.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Err((StatusCode::NOT_IMPLEMENTED, ""))
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
