//! Wrong: the range begins at 0.
//!
//! Refused by step_3_other_numbers_get_an_error_that_says_what_is_allowed:
//! "Ana gives 0 stars. There are 1 to 5. Ana should hear {"type":"error","message":"a rating has 1 to 5 stars, not 0"}, but heard {"type":"rated","stars":0,"comment":null}."

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
/// Why are unknown fields refused? The comment may be missing, so without that nobody would
/// notice a comment under a wrong name.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum ClientMessage {
    Ping,
    Rate { stars: Stars, comment: Option<String> },
}

/// How many stars somebody gives: 1 to 5.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "i64")]
struct Stars(u8);

/// Why from an `i64`? -1 and 300 are whole numbers, too, and whoever sends them should get our
/// sentence, and not "expected u8".
impl TryFrom<i64> for Stars {
    type Error = String;

    fn try_from(stars: i64) -> Result<Self, String> {
        match u8::try_from(stars) {
            Ok(stars @ 0..=5) => Ok(Self(stars)),
            _ => Err(format!("a rating has 1 to 5 stars, not {stars}")),
        }
    }
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage {
    Pong,
    Rated { stars: Stars, comment: Option<String> },
    Error { message: String },
}

/// What the server answers. A mistake gets an answer, too.
fn handle_message(received: Result<ClientMessage, String>) -> Option<ServerMessage> {
    match received {
        Ok(ClientMessage::Ping) => Some(ServerMessage::Pong),
        Ok(ClientMessage::Rate { stars, comment }) => {
            Some(ServerMessage::Rated { stars, comment })
        }
        Err(message) => Some(ServerMessage::Error { message }),
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
