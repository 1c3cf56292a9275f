//! What the limits promise.

mod connections;
mod http;
mod joins;
mod rates;
mod rooms;
mod slow_clients;
mod upgrades;

use std::time::Duration;

use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

const PING: &str = r#"{"type":"ping"}"#;

fn pong() -> Value {
    json!({ "type": "pong" })
}

fn chat_of(content: impl Into<String>) -> String {
    json!({ "type": "chat", "content": content.into() }).to_string()
}

fn joined(name: &str) -> Value {
    json!({ "type": "user_joined", "username": name })
}

fn left(name: &str) -> Value {
    json!({ "type": "user_left", "username": name })
}

/// A request for a WebSocket, for clients that write the bytes themselves.
fn upgrade_request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}
