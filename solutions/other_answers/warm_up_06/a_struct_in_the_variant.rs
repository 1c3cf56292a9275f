//! Another right answer: the variant has a struct, whose field is checked by a function.

use axum::{
    Router,
    extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::socket::with_limits;

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Ping,
    Rate(Rating),
}

/// A rating. A comment under a wrong name is a mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rating {
    #[serde(deserialize_with = "read_stars")]
    stars: Stars,
    comment: Option<String>,
}

/// serde calls this for the field, because the attribute says so.
fn read_stars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stars, D::Error> {
    let stars = i64::deserialize(deserializer)?;
    if (1..=5).contains(&stars) {
        Ok(Stars(stars as u8))
    } else {
        Err(D::Error::custom(format!("a rating has 1 to 5 stars, not {stars}")))
    }
}

/// How many stars somebody gives: 1 to 5.
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

/// What the server answers. A mistake gets an answer, too.
fn handle_message(received: Result<ClientMessage, String>) -> Option<ServerMessage> {
    match received {
        Ok(ClientMessage::Ping) => Some(ServerMessage::Pong),
        Ok(ClientMessage::Rate(Rating { stars, comment })) => {
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
