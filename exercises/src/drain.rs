//! Exercise 11: a stop that drains.
//!
//! Read first: this file: `server`, `ws_handler`, `handle_socket` and `run`
//! Edit:       this file, in six places, from `run` on
//! Check:      cargo course check drain
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with the
//!             address /ws/drain; and then
//!             curl -X POST http://127.0.0.1:8000/drain/stop

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Utf8Bytes, WebSocket, WebSocketUpgrade, close_code},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, post},
};
use tokio::{select, sync::mpsc, time::sleep};

use crate::{
    connection::{lock, next_text, send_text},
    socket::{Disconnect, close, with_limits},
};

/// How many messages may wait for one client. With the next one, it counts as too slow.
const OUTBOX_SIZE: usize = 256;

/// How long the stop waits for those who are connected.
const DEADLINE: Duration = Duration::from_secs(5);

/// How we close every WebSocket when the server stops.
const GOING_AWAY: Disconnect =
    Disconnect::ByUs(close_code::AWAY, "the server is stopping");

/// The server, and what stops it.
pub fn server() -> (Router, Stop) {
    let (chat, stop) = (Chat::default(), Stop::default());
    let router = Router::new()
        .route("/ws/drain", any(ws_handler))
        .route("/drain/stop", post(stop_handler))
        .with_state((chat, stop.clone()));
    (router, stop)
}

pub fn router() -> Router {
    server().0
}

/// Stops this exercise alone: the program goes on.
async fn stop_handler(State((_, stop)): State<(Chat, Stop)>) -> String {
    let left = stop.stop().await;
    format!("The stop is over, and {left} connections are left.\n")
}

async fn ws_handler(
    State((chat, stop)): State<(Chat, Stop)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Now, before the answer: otherwise the stop could be over between the two.
    let Some(guard) = stop.admit() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    };
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, chat, guard))
}

async fn handle_socket(mut socket: WebSocket, chat: Chat, mut guard: Guard) {
    let Err(disconnect) = run(&mut socket, &chat, &mut guard).await;
    // `guard` lives until this is done: the Close is a part of what the stop waits for.
    close(socket, &disconnect).await;
}

/// What one client sends, all receive.
///
/// This is only a handle. Clone it freely: all clones share the same outboxes.
#[derive(Clone, Default)]
struct Chat {
    outboxes: Arc<Mutex<Vec<mpsc::Sender<Utf8Bytes>>>>,
}

impl Chat {
    fn join(&self) -> mpsc::Receiver<Utf8Bytes> {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        lock(&self.outboxes).push(sender);
        outbox
    }

    fn send(&self, text: &Utf8Bytes) {
        // A client whose outbox is full or closed gets nothing more.
        lock(&self.outboxes).retain(|outbox| outbox.try_send(text.clone()).is_ok());
    }
}

/// Carries messages both ways, until one of the two ends the connection.
///
/// When the server stops, the client receives what is in its outbox, and is then closed with
/// `GOING_AWAY`.
///
/// - Write one more arm, which waits for `guard.stopping()`. What would be lost if it
///   returned at once?
/// - A receiver has a method `close`: then nothing more comes in, and what is there can still
///   be received. What does `recv` return when all of it is out?
async fn run(
    socket: &mut WebSocket,
    chat: &Chat,
    guard: &mut Guard,
) -> Result<Infallible, Disconnect> {
    let mut outbox = chat.join();

    loop {
        select! {
            text = next_text(socket) => chat.send(&text?),
            queued = outbox.recv() => match queued {
                Some(text) => send_text(socket, text).await?,
                None => return Err(Disconnect::TOO_SLOW), // The outbox was full.
            },
        }
    }
}

/// The stop of this server. The tests call `stop`, as a program does at its end.
///
/// This is only a handle. Clone it freely: all clones share the same stop.
///
/// - Every connection has to learn of the stop, also one whose task is busy now and looks
///   later. Which channel of tokio keeps its value for that? (See `tokio::sync::watch`.)
#[derive(Clone, Default)]
pub struct Stop {}

/// A connection that the stop waits for, as long as this lives.
struct Guard {}

impl Stop {
    /// Admits one more connection. `None` if the stop has begun: the client gets 503.
    fn admit(&self) -> Option<Guard> {
        Some(Guard {})
    }

    /// Stops the server: tells all connections, and waits until none of their guards is left,
    /// but not longer than `DEADLINE`. Returns how many are left then.
    ///
    /// What makes it interesting: if nobody is there, it returns at once. And it may be called
    /// again while the first call waits: then both wait.
    ///
    /// - How does the stop learn that the last guard is dropped? In a channel, one end learns
    ///   that all the others are gone.
    pub async fn stop(&self) -> usize {
        sleep(DEADLINE).await;
        0
    }
}

impl Guard {
    /// Waits until the stop begins. From then on, it returns at once. Cancel safe.
    async fn stopping(&mut self) {
        pending().await
    }
}
