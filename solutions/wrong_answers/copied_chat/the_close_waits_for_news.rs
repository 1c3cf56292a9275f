//! Wrong: the writer is not told of the Close, and waits for the next message.
//!
//! Refused by step_1_a_close_is_answered:
//! "Ben closes with code 1000."

use std::{collections::HashSet, sync::Arc};

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
    select, spawn,
    sync::{Mutex, broadcast},
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

    let mut name = String::new();
    while let Some(Ok(message)) = from_client.next().await {
        if let Message::Text(wanted) = message {
            let mut names = state.names.lock().await;
            if names.insert(wanted.to_string()) {
                name = wanted.to_string();
                break;
            }
            if to_client.send("This name is taken.".into()).await.is_err() {
                break;
            }
        }
    }

    let mut messages = state.messages.subscribe();
    let _ = state.messages.send(format!("{name} joined.")); // Or nobody is there.

    let mut writing = spawn(async move {
        while let Ok(text) = messages.recv().await {
            if to_client.send(text.into()).await.is_err() {
                break;
            }
        }
    });

    let (speaker, everybody) = (name.clone(), state.messages.clone());
    let mut reading = spawn(async move {
        while let Some(Ok(Message::Text(text))) = from_client.next().await {
            let _ = everybody.send(format!("{speaker}: {text}"));
        }
    });

    select! {
        _ = &mut writing => reading.abort(),
        _ = &mut reading => {
            let _ = writing.await; // So that the answer is sent.
        }
    }

    let _ = state.messages.send(format!("{name} left."));
    state.names.lock().await.remove(&name);
}
