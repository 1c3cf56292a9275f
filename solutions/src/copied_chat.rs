//! The copied chat, repaired: one task for each client, one owner of the socket, and one
//! way out.

use std::{
    collections::HashSet,
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
use tokio::{
    select,
    sync::broadcast::{self, error::RecvError},
};

use crate::socket::{Disconnect, close, send_all, with_limits};

/// How many messages we keep for clients that read slowly.
const BACKLOG: usize = 100;

#[derive(Clone)]
struct AppState {
    names: Arc<Mutex<HashSet<String>>>,
    messages: broadcast::Sender<Utf8Bytes>,
}

/// Somebody who is in the chat under a name, for as long as this lives.
///
/// This is a guard: when it is dropped, the others are told, and the name is free.
struct Member {
    name: String,
    state: AppState,
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
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, state))
}

async fn handle_socket(mut socket: WebSocket, state: AppState) {
    let disconnect = match choose_name(&mut socket, &state).await {
        Ok(member) => run(&mut socket, member).await,
        Err(disconnect) => disconnect, // It has no name, so there is nobody to announce.
    };
    close(socket, &disconnect).await; // This answers a Close.
}

/// Waits for a name that nobody else has.
async fn choose_name(
    socket: &mut WebSocket,
    state: &AppState,
) -> Result<Member, Disconnect> {
    loop {
        let wanted = next_text(socket).await?;
        if wanted.trim().is_empty() {
            continue;
        }
        if let Some(member) = state.join(wanted.trim()) {
            return Ok(member);
        }
        // However long this takes, we hold no lock.
        send(socket, "This name is taken.".into()).await?;
    }
}

async fn run(socket: &mut WebSocket, member: Member) -> Disconnect {
    let mut messages = member.state.messages.subscribe();
    member.announce(" joined.");

    loop {
        let text = select! {
            received = next_text(socket) => match received {
                Ok(text) => {
                    member.announce(&format!(": {text}"));
                    continue;
                }
                Err(disconnect) => return disconnect,
            },
            queued = messages.recv() => match queued {
                Ok(text) => text,
                Err(RecvError::Lagged(count)) => {
                    format!("You missed {count} messages.").into()
                }
                Err(RecvError::Closed) => unreachable!("the member holds a sender"),
            },
        };
        if let Err(disconnect) = send(socket, text).await {
            return disconnect;
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
    /// `None` if the name is taken.
    fn join(&self, name: &str) -> Option<Member> {
        let mut names = self.names.lock().expect("no task panics with the lock");
        names
            .insert(name.to_owned())
            .then(|| Member { name: name.to_owned(), state: self.clone() })
    }
}

impl Member {
    /// Tells everybody what this member does.
    fn announce(&self, what: &str) {
        let text = format!("{}{what}", self.name).into();
        let _ = self.state.messages.send(text); // Or nobody is there.
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Who is told finds the name free, and nobody can take it before that.
        if let Ok(mut names) = self.state.names.lock() {
            self.announce(" left.");
            names.remove(&self.name);
        }
    }
}
