//! A wrong way: what could be sent counts as delivered.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
    routing::any,
};

/// What happened to each message, and what is kept for later.
pub type Report = Arc<Mutex<(Vec<String>, Vec<&'static str>)>>;

pub fn app(report: Report) -> Router {
    Router::new().route("/ws", any(ws_handler)).with_state(report)
}

async fn ws_handler(upgrade: WebSocketUpgrade, State(report): State<Report>) -> Response {
    upgrade.on_upgrade(|mut socket| async move { greet(&mut socket, &report).await })
}

async fn greet(socket: &mut WebSocket, report: &Report) {
    while let Some(Ok(_)) = socket.recv().await {
        for text in ["Are you coming?", "We are at the station.", "The train leaves."] {
            let result = socket.send(Message::text(text)).await;
            let mut report = report.lock().expect("nobody panics with the lock");
            report.0.push(format!("send({text:?}) returns {result:?}"));
            if result.is_err() {
                report.1.push(text); // Until Ben is back.
            }
        }
    }
}
