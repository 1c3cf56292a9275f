//! Warm-up for lesson 01: capitals and counts.
//!
//! Read first: the chapter of lesson 01, and its `handle_socket`
//! Edit:       this file, in one place
//! Check:      cargo course check warm_up_01
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with the
//!             address /warm_up_01/ws

#![allow(unused_imports, unused_variables)] // For the gap. Delete this line with it.

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};

use crate::socket::with_limits;

pub fn router() -> Router {
    Router::new().route("/warm_up_01/ws", any(ws_handler))
}

async fn ws_handler(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(handle_socket)
}

/// Handles one client, from the moment it connects to the moment it is gone.
///
/// Now the server receives every message, and sends nothing. Let it answer:
///
/// - a text comes back in capitals: "Is anybody here?" is answered with "IS ANYBODY HERE?",
///   and "café" with "CAFÉ";
/// - bytes are answered with a text that says how many they were. After four bytes, it is
///   "Bytes: 4";
/// - pings and pongs are not answered by you, and they do not end the connection;
/// - a client that sends a Close gets a Close as its answer.
///
/// What makes it interesting: there are five kinds of message, and only two of them get a
/// reply. But the loop has to go on after the other three as well.
///
/// - Which arms of your `match` make a reply, and which do not come to the line after it?
/// - If you write no `_` arm: who tells you that you have forgotten a kind of message?
/// - `to_uppercase` makes a `String`, and so does `format!`. Which function makes a
///   `Message` of a `String`: `Message::Text` or `Message::text`?
/// - Who answers a ping, and who answers a Close? What has your loop to do for that?
async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        // Your code.
    }
}
