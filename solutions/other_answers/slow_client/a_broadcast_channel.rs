//! Another answer: tokio's `broadcast` keeps the newest messages once for all, and says to
//! each receiver how many it has missed.

use std::convert::Infallible;

use axum::{
    Router,
    extract::{
        State,
        ws::{Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use serde::Serialize;
use tokio::{
    select,
    sync::broadcast::{self, error::RecvError},
};

use crate::{
    connection::{encode, next_text, send_text},
    socket::{Disconnect, close, with_limits},
};

/// How many messages the channel keeps: a power of two, or it would keep more.
const OUTBOX_SIZE: usize = 64;

/// `{"type":"missed","count":7}`, as in lesson 12.
#[derive(Serialize)]
#[serde(tag = "type", rename = "missed")]
struct Missed {
    count: u64,
}

type Ticker = broadcast::Sender<Utf8Bytes>;

pub fn router() -> Router {
    Router::new()
        .route("/ws/slow_client", any(ws_handler))
        .with_state(Ticker::new(OUTBOX_SIZE))
}

async fn ws_handler(State(ticker): State<Ticker>, upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(async |mut socket| {
        let Err(disconnect) = run(&mut socket, ticker).await;
        close(socket, &disconnect).await;
    })
}

async fn run(socket: &mut WebSocket, ticker: Ticker) -> Result<Infallible, Disconnect> {
    let mut prices = ticker.subscribe();

    loop {
        select! {
            text = next_text(socket) => {
                let _ = ticker.send(text?); // We are subscribed, so it has a receiver.
            }
            received = prices.recv() => {
                let text = match received {
                    Ok(text) => text,
                    Err(RecvError::Lagged(count)) => encode(&Missed { count }),
                    Err(RecvError::Closed) => return Err(Disconnect::Lost), // Never: we hold a sender.
                };
                send_text(socket, text).await?;
            }
        }
    }
}
