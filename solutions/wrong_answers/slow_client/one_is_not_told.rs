//! Wrong: one that is dropped alone is not told.
//!
//! Refused by step_4_it_is_told_how_many_it_has_missed:
//! "so he has missed 1, but he was told of 0"

use std::{
    collections::VecDeque,
    convert::Infallible,
    mem,
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
use tokio::{select, sync::Notify};

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
#[derive(Default)]
struct Outbox {
    queue: Mutex<Queue>,
    /// Wakes the client's task when the queue has changed.
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    texts: VecDeque<Utf8Bytes>,
    /// How many have been dropped. All of them were older than `texts`.
    missed: usize,
}

impl Outbox {
    fn push(&self, text: Utf8Bytes) {
        let mut queue = lock(&self.queue);
        if queue.texts.len() == OUTBOX_SIZE {
            queue.texts.pop_front();
            queue.missed += 1;
        }
        queue.texts.push_back(text);
        self.changed.notify_one();
    }

    /// Cancel safe: what is taken out is returned at once.
    async fn next(&self) -> Utf8Bytes {
        loop {
            // A statement of its own: the lock is released before we wait.
            let next = lock(&self.queue).take();
            if let Some(text) = next {
                return text;
            }
            self.changed.notified().await;
        }
    }
}

impl Queue {
    fn take(&mut self) -> Option<Utf8Bytes> {
        if self.missed > 1 {
            let count = mem::take(&mut self.missed);
            return Some(encode(&Missed { count }));
        }
        self.texts.pop_front()
    }
}
