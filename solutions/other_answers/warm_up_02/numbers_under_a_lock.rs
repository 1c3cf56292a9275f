//! Another right answer: three numbers under one lock, so they are read in one moment.
//!
//! With three atomics, a client may be counted between two of the loads. For numbers that
//! somebody looks at, that does no harm.

// The socket is lesson 02's, and there is nothing new to read in it.
#[path = "../../../lessons/lesson_02_disconnect/src/socket.rs"]
mod socket;

use std::sync::{Arc, Mutex, PoisonError};

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

/// How many connections have ended: by the client, lost, by us.
#[derive(Default)]
struct Counts(Mutex<[usize; 3]>);

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

async fn count_disconnects(State(counts): State<Arc<Counts>>) -> String {
    let [by_client, lost, by_us] =
        *counts.0.lock().unwrap_or_else(PoisonError::into_inner);
    format!("by the client: {by_client}, lost: {lost}, by us: {by_us}")
}

impl Counts {
    /// Adds one to the number that belongs to this way to leave.
    fn add(&self, disconnect: &Disconnect) {
        let index = match disconnect {
            Disconnect::ByClient(_) => 0,
            Disconnect::Lost => 1,
            Disconnect::ByUs(..) => 2,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[index] += 1;
    }
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket, counts: Arc<Counts>) {
    let disconnect = run(&mut socket).await;

    counts.add(&disconnect); // Now, not later: the closing handshake can take a while.
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
