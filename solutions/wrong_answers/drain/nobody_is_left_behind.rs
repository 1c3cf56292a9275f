//! Wrong: the stop says that nobody is left, whoever was there at the deadline.
//!
//! Refused by step_6_it_waits_no_longer_than_the_deadline:
//! "The stop should return how many connections are left, which is 1, but it returns 0."

use std::{
    convert::Infallible,
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
use tokio::{
    select,
    sync::{mpsc, watch},
    time::timeout,
};

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

/// Carries messages both ways, until one of the two ends the connection, or we stop.
async fn run(
    socket: &mut WebSocket,
    chat: &Chat,
    guard: &mut Guard,
) -> Result<Infallible, Disconnect> {
    let mut outbox = chat.join();
    let mut is_stopping = false;

    loop {
        select! {
            text = next_text(socket) => chat.send(&text?),
            queued = outbox.recv() => match queued {
                Some(text) => send_text(socket, text).await?,
                None if is_stopping => return Err(GOING_AWAY),
                None => return Err(Disconnect::TOO_SLOW), // The outbox was full.
            },
            // What is in the outbox now is still sent. Then the arm above finds it closed.
            () = guard.stopping(), if !is_stopping => {
                is_stopping = true;
                outbox.close();
            }
        }
    }
}

/// The stop of this server.
///
/// This is only a handle. Clone it freely: all clones share the same stop.
#[derive(Clone, Default)]
pub struct Stop {
    /// Whether the stop has begun. It has a receiver for each connection.
    stopping: watch::Sender<bool>,
}

/// A connection that the stop waits for, as long as this lives.
struct Guard {
    stopping: watch::Receiver<bool>,
}

impl Stop {
    /// Admits one more connection. `None` if the stop has begun: the client gets 503.
    fn admit(&self) -> Option<Guard> {
        // In this order: if the stop begins now, it waits for this receiver, too.
        let stopping = self.stopping.subscribe();
        let has_begun = *stopping.borrow();
        (!has_begun).then_some(Guard { stopping })
    }

    /// Stops the server. Returns how many connections are left at the deadline.
    pub async fn stop(&self) -> usize {
        self.stopping.send_replace(true);
        let _ = timeout(DEADLINE, self.stopping.closed()).await; // If it passes, we count.
        0
    }
}

impl Guard {
    /// Waits until the stop begins. From then on, it returns at once. Cancel safe.
    async fn stopping(&mut self) {
        let _ = self.stopping.wait_for(|&stopping| stopping).await; // Or nobody can stop us.
    }
}
