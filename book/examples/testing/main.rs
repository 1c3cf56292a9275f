//! A small server, as a reader's own, so that the book can show how to test one.

use std::{io, time::Duration};

use axum::{
    Router,
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use tokio::{net::TcpListener, time::timeout};

/// How long a client may say nothing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long we wait for the answer to our Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The code of the Close that an idle client gets.
const IDLE: u16 = 4011;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    axum::serve(listener, app()).await
}

/// The whole application. The tests call this too.
fn app() -> Router {
    Router::new().route("/ws", any(ws_handler))
}

async fn ws_handler(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(handle_socket)
}

async fn handle_socket(mut socket: WebSocket) {
    loop {
        match timeout(IDLE_TIMEOUT, socket.recv()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                let reply = Message::text(format!("Echo: {text}"));
                if socket.send(reply).await.is_err() {
                    return; // The connection is lost.
                }
            }
            Ok(Some(Ok(_))) => {} // After a Close, the next `recv` sends the answer.
            Ok(Some(Err(_)) | None) => return,
            Err(_) => break, // Idle.
        }
    }

    let close = CloseFrame { code: IDLE, reason: "idle".into() };
    if socket.send(Message::Close(Some(close))).await.is_ok() {
        // Why read on? Until its Close arrives, the client may have sent other messages. A
        // connection that is dropped before they are read is reset, and our Close with it.
        let answer = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = timeout(CLOSE_TIMEOUT, answer).await; // Whether it came or not.
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_time;
