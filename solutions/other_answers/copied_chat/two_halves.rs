//! Another right answer: the two halves stay, and each does its part of the closing
//! handshake.
//!
//! - The reader reads on after a Close, until the connection ends. While it does, the answer to
//!   the Close goes out.
//! - It is the writer who ends with the reader, and never the other way round.
//! - The list of names is locked for as long as it takes to look at it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    select,
    sync::broadcast::{self, error::RecvError},
};

/// How many messages we keep for clients that read slowly.
const BACKLOG: usize = 100;

#[derive(Clone)]
struct AppState {
    names: Arc<Mutex<HashSet<String>>>,
    messages: broadcast::Sender<String>,
}

pub fn router() -> Router {
    let (messages, _) = broadcast::channel(BACKLOG);
    let names = Arc::default();

    Router::new()
        .route("/ws/copied_chat", any(ws_handler))
        .with_state(AppState { names, messages })
}

async fn ws_handler(
    State(state): State<AppState>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(|socket| handle_socket(socket, state))
}

async fn handle_socket(socket: WebSocket, state: AppState) {
    let (mut to_client, mut from_client) = socket.split();

    let name = loop {
        let Some(Ok(message)) = from_client.next().await else { return };
        let Message::Text(wanted) = message else { continue };
        let wanted = wanted.trim();
        if wanted.is_empty() {
            continue;
        }
        if state.take_name(wanted) {
            break wanted.to_string();
        }
        if to_client.send("This name is taken.".into()).await.is_err() {
            return;
        }
    };

    let mut messages = state.messages.subscribe();
    let _ = state.messages.send(format!("{name} joined.")); // Or nobody is there.

    let writing = async {
        loop {
            let text = match messages.recv().await {
                Ok(text) => text,
                Err(RecvError::Lagged(count)) => format!("You missed {count} messages."),
                Err(RecvError::Closed) => break,
            };
            if to_client.send(text.into()).await.is_err() {
                break;
            }
        }
        std::future::pending().await // The reader sees the end of the connection as well.
    };
    let reading = async {
        while let Some(Ok(message)) = from_client.next().await {
            if let Message::Text(text) = message {
                let _ = state.messages.send(format!("{name}: {text}"));
            }
        }
    };
    select! {
        () = reading => {}
        () = writing => {}
    }

    let _ = state.messages.send(format!("{name} left."));
    state.names().remove(&name);
}

impl AppState {
    fn take_name(&self, name: &str) -> bool {
        self.names().insert(name.to_string())
    }

    fn names(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.names.lock().expect("no task panics with the lock")
    }
}
