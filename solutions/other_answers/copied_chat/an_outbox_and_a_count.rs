//! Another right answer: an outbox for each member, and a count of what did not fit in.
//!
//! There is no broadcast channel. Who speaks puts the message in all outboxes, without
//! waiting, and the first that fits in again is preceded by the number of those that
//! did not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
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

/// All members, by name. What would not fit into an outbox is counted, and dropped.
#[derive(Clone, Default)]
struct AppState {
    members: Arc<Mutex<HashMap<String, Member>>>,
}

struct Member {
    outbox: mpsc::Sender<Utf8Bytes>,
    missed: usize,
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
            state.announce(format!("{name} left."));
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
    state.announce(format!("{name} joined."));
    loop {
        select! {
            received = next_text(socket) => match received {
                Ok(text) => state.announce(format!("{name}: {text}")),
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
        let mut members = self.lock();
        if members.contains_key(name) {
            return None;
        }
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        members.insert(name.to_owned(), Member { outbox: sender, missed: 0 });
        Some(outbox)
    }

    fn announce(&self, text: String) {
        let text: Utf8Bytes = text.into();
        for member in self.lock().values_mut() {
            member.send(text.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Member>> {
        self.members.lock().expect("no task panics with the lock")
    }
}

impl Member {
    /// Before the first message after a gap comes the number of those that are missing.
    fn send(&mut self, text: Utf8Bytes) {
        if self.missed > 0 {
            let count = self.missed;
            if self.outbox.capacity() < 2 {
                self.missed += 1;
                return;
            }
            let sentence = format!("You missed {count} messages.");
            if self.outbox.try_send(sentence.into()).is_ok() {
                self.missed = 0;
            }
        }
        if self.outbox.try_send(text).is_err() {
            self.missed += 1;
        }
    }
}
