//! Exercise 10: a slow client.
//!
//! Read first: this file: `handle_socket`, and how a `Ticker` uses your outbox
//! Edit:       this file, in three places, from `struct Outbox` on
//! Check:      cargo course check slow_client
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with two clients
//!             at the address /ws/slow_client

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};

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
use tokio::select;

use crate::{
    connection::{encode, lock, next_text, send_text},
    socket::{Disconnect, close, with_limits},
};

/// How many messages may wait for one client. With the next one, the oldest is dropped.
const OUTBOX_SIZE: usize = 64;

/// `{"type":"missed","count":7}`, as in lesson 12.
#[derive(Serialize)]
#[serde(tag = "type", rename = "missed")]
struct Missed {
    count: usize,
}

/// Everybody's outbox. What one client sends, all receive.
///
/// This is only a handle. Clone it freely: all clones share the same outboxes.
#[derive(Clone, Default)]
struct Ticker {
    outboxes: Arc<Mutex<Vec<Arc<Outbox>>>>,
}

impl Ticker {
    fn join(&self) -> Arc<Outbox> {
        let outbox = Arc::<Outbox>::default();
        lock(&self.outboxes).push(outbox.clone());
        outbox
    }

    fn leave(&self, outbox: &Arc<Outbox>) {
        lock(&self.outboxes).retain(|other| !Arc::ptr_eq(other, outbox));
    }

    fn publish(&self, text: &Utf8Bytes) {
        for outbox in lock(&self.outboxes).iter() {
            outbox.push(text.clone());
        }
    }
}

pub fn router() -> Router {
    Router::new().route("/ws/slow_client", any(ws_handler)).with_state(Ticker::default())
}

async fn ws_handler(State(ticker): State<Ticker>, upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, ticker))
}

async fn handle_socket(mut socket: WebSocket, ticker: Ticker) {
    let outbox = ticker.join();
    let Err(disconnect) = run(&mut socket, &ticker, &outbox).await;
    ticker.leave(&outbox);
    close(socket, &disconnect).await;
}

async fn run(
    socket: &mut WebSocket,
    ticker: &Ticker,
    outbox: &Outbox,
) -> Result<Infallible, Disconnect> {
    loop {
        select! {
            text = next_text(socket) => ticker.publish(&text?),
            // While this client is slow, its task waits in `send_text`, and `push` goes on.
            text = outbox.next() => send_text(socket, text).await?,
        }
    }
}

/// What waits for one client: at most `OUTBOX_SIZE` messages, the newest.
///
/// - Two tasks use it at once, and both have only `&self`. What has to be around the queue?
#[derive(Default)]
struct Outbox {}

impl Outbox {
    /// Puts `text` into the outbox. If it is full, the oldest message is dropped.
    ///
    /// What makes it interesting: this is called for all clients, one after another, with the
    /// lock of the ticker held. So it must not wait, and it is not `async`.
    ///
    /// - How does the task that waits in `next` learn that something has come?
    fn push(&self, text: Utf8Bytes) {}

    /// Waits for the next message, and takes it out. If messages have been dropped, the next
    /// one is `{"type":"missed","count":7}`: it says how many, and it comes where they are
    /// missing, before those that are newer. Then the count begins again.
    ///
    /// What makes it interesting: `select!` drops this future whenever the client sends
    /// something first. A message that was taken out before that would be lost.
    ///
    /// - After which line may no `.await` come any more?
    /// - If nothing is there, you have to wait for `push`. What if it comes between the look
    ///   into the queue and the wait? (tokio's `Notify` remembers one call of `notify_one`.)
    /// - You cannot wait with the lock of a `std::sync::Mutex` held. When is it released?
    async fn next(&self) -> Utf8Bytes {
        pending().await
    }
}
