//! Warm-up for lesson 02: how connections ended.
//!
//! Read first: the chapter of lesson 02, and its `handle_socket`
//! Edit:       this file, in three places
//! Check:      cargo course check warm_up_02
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with the
//!             address /warm_up_02/ws. http://127.0.0.1:8000/warm_up_02/disconnects shows
//!             what you have counted.

// The gaps use nothing yet. Delete this line with them.
#![allow(dead_code, unused_imports, unused_variables)]

// The socket is lesson 02's, and there is nothing new to read in it.
#[path = "../../../lessons/lesson_02_disconnect/src/socket.rs"]
mod socket;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade, close_code},
    },
    response::Response,
    routing::{any, get},
};

use self::socket::{Disconnect, close, with_limits};

/// How many connections have ended, and how. All clones of the `Arc` share the numbers.
#[derive(Default)]
struct Counts {
    by_client: AtomicUsize,
    lost: AtomicUsize,
    by_us: AtomicUsize,
}

pub fn router() -> Router {
    Router::new()
        .route("/warm_up_02/ws", any(ws_handler))
        .route("/warm_up_02/disconnects", get(count_disconnects))
        .with_state(Arc::<Counts>::default())
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    State(counts): State<Arc<Counts>>,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, counts))
}

/// Answers `GET /warm_up_02/disconnects` with one line, such as
/// `by the client: 3, lost: 1, by us: 0`.
///
/// - Which method of an `AtomicUsize` reads it?
async fn count_disconnects(State(counts): State<Arc<Counts>>) -> String {
    String::new()
}

impl Counts {
    /// Adds one to the number that belongs to this way to leave.
    ///
    /// What makes it interesting: a client may close with any code. A browser closes with
    /// 1001 when its window is closed, and a Close may have no code at all. Each of them
    /// counts as "by the client".
    ///
    /// - `Disconnect` is an enum with three variants. Which pattern fits a variant,
    ///   whatever is in it?
    /// - `&self` does not allow you to change a field. Why can `fetch_add` do it?
    fn add(&self, disconnect: &Disconnect) {}
}

/// Handles one client, from the moment it connects to the moment it is gone.
///
/// It calls `counts.add`, once for each client.
///
/// What makes it interesting: `close` may wait for a client that does not answer, for ten
/// seconds. The client has to be counted without this delay.
///
/// - From which line on do we know how the connection ended?
/// - In lesson 02, which line comes before `close`, and why?
async fn handle_socket(mut socket: WebSocket, counts: Arc<Counts>) {
    let disconnect = run(&mut socket).await;

    close(socket, &disconnect).await;
}

/// Echoes, until one of the two ends the connection. It is that of lesson 02.
async fn run(socket: &mut WebSocket) -> Disconnect {
    loop {
        let reply = match socket.recv().await {
            Some(Ok(Message::Text(text))) if text == "bye" => {
                return Disconnect::ByUs(close_code::NORMAL, "Goodbye!");
            }
            Some(Ok(Message::Text(text))) => Message::text(format!("Echo: {text}")),
            Some(Ok(Message::Binary(bytes))) => Message::Binary(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => {
                return Disconnect::ByClient(frame.map(|frame| frame.code));
            }
            Some(Err(_)) | None => return Disconnect::Lost,
        };

        if socket.send(reply).await.is_err() {
            return Disconnect::Lost;
        }
    }
}
