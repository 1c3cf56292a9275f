//! Wrong: each client has an outbox, and whoever speaks waits until all of them have
//! room.
//!
//! Refused by step_3_whoever_falls_behind_is_told_and_stays:
//! "and not hold up anybody else."

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use tokio::{select, sync::mpsc};

use crate::socket::{Disconnect, close, send_all, with_limits};

/// How many messages may wait for one client.
const OUTBOX_SIZE: usize = 100;

/// The outbox of each member, by name.
#[derive(Clone, Default)]
struct AppState {
    outboxes: Arc<Mutex<HashMap<String, mpsc::Sender<Utf8Bytes>>>>,
}

pub fn router() -> Router {
    Router::new()
        .route("/ws/copied_chat", any(ws_handler))
        .with_state(AppState::default())
}

async fn ws_handler(
    State(state): State<AppState>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, state))
}

async fn handle_socket(mut socket: WebSocket, state: AppState) {
    let disconnect = match choose_name(&mut socket, &state).await {
        Ok((name, outbox)) => {
            let disconnect = run(&mut socket, &state, &name, outbox).await;
            state.lock().remove(&name);
            state.announce(format!("{name} left.")).await;
            disconnect
        }
        Err(disconnect) => disconnect,
    };
    close(socket, &disconnect).await;
}

async fn choose_name(
    socket: &mut WebSocket,
    state: &AppState,
) -> Result<(String, mpsc::Receiver<Utf8Bytes>), Disconnect> {
    loop {
        let wanted = next_text(socket).await?;
        let name = wanted.trim();
        if name.is_empty() {
            continue;
        }
        if let Some(outbox) = state.join(name) {
            return Ok((name.to_owned(), outbox));
        }
        send(socket, "This name is taken.".into()).await?;
    }
}

async fn run(
    socket: &mut WebSocket,
    state: &AppState,
    name: &str,
    mut outbox: mpsc::Receiver<Utf8Bytes>,
) -> Disconnect {
    state.announce(format!("{name} joined.")).await;
    loop {
        select! {
            received = next_text(socket) => match received {
                Ok(text) => state.announce(format!("{name}: {text}")).await,
                Err(disconnect) => return disconnect,
            },
            Some(text) = outbox.recv() => {
                if let Err(disconnect) = send(socket, text).await {
                    return disconnect;
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> Result<(), Disconnect> {
    send_all(socket, &mut vec![[text].into()]).await
}

/// The next text, past pings, pongs and bytes. Or how the connection ended.
async fn next_text(socket: &mut WebSocket) -> Result<Utf8Bytes, Disconnect> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => {
                return Err(Disconnect::ByClient(frame.map(|frame| frame.code)));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Disconnect::Lost),
        }
    }
}

impl AppState {
    fn join(&self, name: &str) -> Option<mpsc::Receiver<Utf8Bytes>> {
        let mut outboxes = self.lock();
        if outboxes.contains_key(name) {
            return None;
        }
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        outboxes.insert(name.to_owned(), sender);
        Some(outbox)
    }

    async fn announce(&self, text: String) {
        let text: Utf8Bytes = text.into();
        let outboxes: Vec<_> = self.lock().values().cloned().collect();
        for outbox in outboxes {
            let _ = outbox.send(text.clone()).await; // Or it has left.
        }
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Utf8Bytes>>> {
        self.outboxes.lock().expect("no task panics with the lock")
    }
}
