//! Warm-up for lesson 02: how connections ended, solved.

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

async fn count_disconnects(State(counts): State<Arc<Counts>>) -> String {
    let Counts { by_client, lost, by_us } = &*counts;
    format!(
        "by the client: {}, lost: {}, by us: {}",
        by_client.load(Ordering::Relaxed),
        lost.load(Ordering::Relaxed),
        by_us.load(Ordering::Relaxed),
    )
}

impl Counts {
    /// Adds one to the number that belongs to this way to leave.
    fn add(&self, disconnect: &Disconnect) {
        // Why `(_)` and no code? Whatever code the client has sent, it was the client that
        // closed. And if `Disconnect` gets a fourth variant, the compiler asks us.
        let count = match disconnect {
            Disconnect::ByClient(_) => &self.by_client,
            Disconnect::Lost => &self.lost,
            Disconnect::ByUs(..) => &self.by_us,
        };
        count.fetch_add(1, Ordering::Relaxed);
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
