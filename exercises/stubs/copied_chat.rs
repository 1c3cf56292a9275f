//! Exercise 5: repair the copied chat.
//!
//! This chat is complete, and it works: try it with two clients. It has the shape in
//! which such chats are copied from project to project, and five faults that show when
//! clients behave in ways that are perfectly legal. The checks find each of them, and what a
//! repair may break.
//!
//! Read first: this file; then `client.rs`, which has none of them, and lesson 07's
//!             `socket.rs`, which you can use as `crate::socket`
//! Edit:       this file, all of it if you like
//! Check:      cargo course check copied_chat
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with the
//!             address /ws/copied_chat
//!
//! What it promises, and what the checks hold it to:
//!
//! - It speaks plain text. The first message that is not blank is a name. If it is taken,
//!   the client receives "This name is taken." and may try another; the name stays with the
//!   one who has it.
//! - From then on it receives all that happens, its own doings included: "ana joined.",
//!   "ana: hello", "ana left." Nobody is told of a client without a name.
//! - A client that closes with a code gets the same code back, and then the connection
//!   ends. That holds before it has a name, too. If it had one, the name is free again, and
//!   the others are told once that it left; the same if its connection is lost.
//! - Pings, pongs and bytes end nothing, before the name or after it, and nobody is told of
//!   them.
//! - A client that reads slowly misses messages, receives "You missed 7 messages.", and
//!   goes on from there. One that reads nothing for ten seconds may be closed. Neither of
//!   them holds up anybody else.
//!
//! Questions, in the order of the checks:
//!
//! - Who would send the answer to a Close, and does it still run then?
//! - Which messages does a pattern like `Some(Ok(Message::Text(text)))` let go on?
//! - `recv` of a broadcast has two kinds of error. Is each of them an end?
//! - Where does somebody go on who has left before giving a name? Is a blank a name?
//! - What is held while the client is told that its name is taken? For how long?

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
        _ = &mut reading => writing.abort(),
    }

    let _ = state.messages.send(format!("{name} left."));
    state.names.lock().await.remove(&name);
}
