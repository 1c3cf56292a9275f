//! Warm-up for lesson 06: a message of your own.
//!
//! A server that takes ratings. It answers `ping` already, and you add `rate`:
//!
//! {"type":"rate","stars":4,"comment":"Good soup."}
//!
//! Read first: lesson 06, "A type whose values are valid" and "A mistake gets an answer"
//! Edit:       this file, in three places
//! Check:      cargo course check warm_up_06
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html with the address
//!             /warm_up_06/ws; send the line above, and then change it

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use axum::{
    Router,
    extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use serde::{Deserialize, Serialize};

use crate::socket::with_limits;

/// What a client may send.
///
/// The new message is `rate`. Its field `stars` is a `Stars`. Its field `comment` is a text,
/// and may be missing.
///
/// What makes it interesting: what if somebody writes `coment`? As the comment may be
/// missing, serde would ignore the unknown field, and the text would be lost without a word.
/// So a field that a `rate` does not have is a mistake.
///
/// - In Rust, what is the type of a text that may be missing?
/// - Which attribute of serde does lesson 05 mention, for fields that are not known?
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Ping,
}

/// How many stars somebody gives: 1 to 5.
///
/// What it promises: another whole number, such as 0, 7, -1 or 300, gets the error
/// "a rating has 1 to 5 stars, not 7", with the number that was sent.
///
/// What makes it interesting: -1 and 300 are whole numbers, too. If serde reads them as a
/// `u8`, its error is "expected u8", which helps nobody who does not know Rust.
///
/// - How does the lesson's `Content` tell serde how to make one? From which type must `Stars`
///   be made, so that -1 and 300 get as far as your check?
/// - `match` knows ranges, such as `1..=5`.
/// - How does one make a `u8` of a larger number? `u8::try_from` tells you whether it fits.
#[derive(Debug, Serialize)]
struct Stars(u8);

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage {
    Pong,
    Rated { stars: Stars, comment: Option<String> },
    Error { message: String },
}

/// What the server answers, if anything.
///
/// What it promises: a rating is answered with `Rated`, a mistake with an `Error` that has
/// the sentence of `parse`. After that the connection goes on.
///
/// - The lesson's `handle_message` has an arm for a mistake. What does it do in there?
fn handle_message(received: Result<ClientMessage, String>) -> Option<ServerMessage> {
    match received {
        Ok(ClientMessage::Ping) => Some(ServerMessage::Pong),
        Err(message) => None,
    }
}

impl ClientMessage {
    /// Reads one message. The error is a sentence for the person who sent it.
    fn parse(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return Err(r#"a message is a JSON object, such as {"type":"ping"}"#.into());
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

impl ServerMessage {
    fn encode(&self) -> Utf8Bytes {
        serde_json::to_string(self).expect("these types have a JSON form").into()
    }
}

pub fn router() -> Router {
    Router::new().route("/warm_up_06/ws", any(ws_handler))
}

async fn ws_handler(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(handle_socket)
}

async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Some(answer) = handle_message(ClientMessage::parse(&text)) else { continue };
        if socket.send(Message::Text(answer.encode())).await.is_err() {
            return;
        }
    }
}
