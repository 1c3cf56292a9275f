//! The methods that FastAPI's `WebSocket` has, as functions.

use std::time::Duration;

use axum::{
    Error,
    body::Bytes,
    extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

/// The longest message that we accept, in bytes. A longer one ends the connection.
const MAX_MESSAGE_SIZE: usize = 8 * 1024;

/// How long one send, and how long the closing handshake may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

pub fn with_limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(1024)
        .write_buffer_size(MAX_MESSAGE_SIZE)
        .max_write_buffer_size(2 * MAX_MESSAGE_SIZE)
        .max_message_size(MAX_MESSAGE_SIZE)
        .max_frame_size(MAX_MESSAGE_SIZE)
}

/// Waits for the next JSON message. `None` means that the connection has ended, the inner
/// error is a sentence for the client: what it sent is not what we expect.
///
/// It can be used in `select!`: between `recv` and the return it does not wait, so no
/// message is lost.
pub async fn receive_json<T: DeserializeOwned>(
    socket: &mut WebSocket,
) -> Option<Result<T, String>> {
    while let Some(Ok(message)) = socket.recv().await {
        match message {
            Message::Text(text) => {
                return Some(serde_json::from_str(&text).map_err(|e| e.to_string()));
            }
            Message::Binary(_) => {
                return Some(Err("a message is text, and this is binary".into()));
            }
            // Read on: the library answers a ping and a Close only while we read.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
    }
    None
}

pub async fn send_text(
    socket: &mut WebSocket,
    text: impl Into<Utf8Bytes>,
) -> Result<(), Error> {
    send(socket, Message::Text(text.into())).await
}

pub async fn send_bytes(
    socket: &mut WebSocket,
    bytes: impl Into<Bytes>,
) -> Result<(), Error> {
    send(socket, Message::Binary(bytes.into())).await
}

pub async fn send_json(
    socket: &mut WebSocket,
    value: &impl Serialize,
) -> Result<(), Error> {
    send_text(socket, serde_json::to_string(value).map_err(Error::new)?).await
}

/// The error means: the connection is lost, or the client does not read.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Error> {
    timeout(SEND_TIMEOUT, socket.send(message)).await.map_err(Error::new)?
}

/// Closes with a code and a reason, and reads until the client has answered.
pub async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let handshake = async {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = socket.send(Message::Close(Some(frame))).await; // Or it is lost.
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(CLOSE_TIMEOUT, handshake).await; // A silent client must not keep us.
}
