//! A wrong way: the wait for a sign of life begins anew whenever anything happens.

use std::time::Duration;

use axum::{
    Router,
    extract::{
        Path,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    routing::any,
};
use tokio::{
    select,
    time::{interval, sleep},
};

const SILENCE: Duration = Duration::from_secs(30);

/// A room in which somebody speaks every so many seconds.
pub fn app() -> Router {
    Router::new().route(
        "/ws/{seconds}",
        any(|Path(seconds): Path<u64>, upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(move |socket| serve_client(socket, seconds))
        }),
    )
}

async fn serve_client(mut socket: WebSocket, seconds: u64) {
    let mut others = interval(Duration::from_secs(seconds));

    loop {
        select! {
            heard = socket.recv() => if !matches!(heard, Some(Ok(_))) { break },
            _ = others.tick() => {
                if socket.send(Message::text("hello")).await.is_err() { break }
            }
            () = sleep(SILENCE) => break, // Nobody is there.
        }
    }
}
