//! Wrong: a visitor without a name is not announced, but its leaving is.
//!
//! Refused by step_4_nobody_hears_of_a_visitor_without_a_name:
//! "Who should hear of that?"

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

use crate::socket::{Ending, send_all, sized};

/// How many messages we keep for clients that read slowly.
const BACKLOG: usize = 100;

/// What the line carries to us, in bytes. A longer message ends the connection.
const LINE_LIMIT: usize = 64 * 1024;

#[derive(Clone)]
struct Chat {
    names: Arc<Mutex<HashSet<String>>>,
    messages: broadcast::Sender<Utf8Bytes>,
}

/// Somebody with a name, who gives it back when this is dropped.
struct Guest {
    name: String,
    chat: Chat,
}

pub fn router() -> Router {
    let (messages, _) = broadcast::channel(BACKLOG);
    let names = Arc::default();

    Router::new()
        .route("/ws/copied_chat", any(open_socket))
        .with_state(Chat { names, messages })
}

async fn open_socket(State(chat): State<Chat>, upgrade: WebSocketUpgrade) -> Response {
    sized(upgrade, LINE_LIMIT).on_upgrade(|socket| serve_client(socket, chat))
}

async fn serve_client(mut socket: WebSocket, chat: Chat) {
    let ending = match choose_name(&mut socket, &chat).await {
        Ok(guest) => converse(&mut socket, guest).await,
        Err(ending) => {
            drop(Guest { name: String::new(), chat });
            ending
        }
    };
    ending.part(socket).await; // This answers a Close.
}

/// Waits for a name that nobody else has.
async fn choose_name(socket: &mut WebSocket, chat: &Chat) -> Result<Guest, Ending> {
    loop {
        let wanted = next_text(socket).await?;
        if wanted.trim().is_empty() {
            continue;
        }
        if let Some(guest) = chat.admit(wanted.trim()) {
            return Ok(guest);
        }
        // However long this takes, we hold no lock.
        send_all(socket, &mut vec!["This name is taken.".into()]).await?;
    }
}

async fn converse(socket: &mut WebSocket, guest: Guest) -> Ending {
    let mut messages = guest.chat.messages.subscribe();
    guest.tell(" joined.");

    loop {
        let text = select! {
            heard = next_text(socket) => match heard {
                Ok(text) => {
                    guest.tell(&format!(": {text}"));
                    continue;
                }
                Err(ending) => return ending,
            },
            news = messages.recv() => match news {
                Ok(text) => text,
                Err(RecvError::Lagged(count)) => {
                    format!("You missed {count} messages.").into()
                }
                Err(RecvError::Closed) => unreachable!("the guest holds a sender"),
            },
        };
        if let Err(ending) = send_all(socket, &mut vec![text]).await {
            return ending;
        }
    }
}

/// The next text, past pings, pongs and bytes. Or how the conversation ended.
async fn next_text(socket: &mut WebSocket) -> Result<Utf8Bytes, Ending> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => return Err(Ending::Closed(frame)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Ending::Dropped),
        }
    }
}

impl Chat {
    /// `None` if the name is taken.
    fn admit(&self, name: &str) -> Option<Guest> {
        let mut names = self.names.lock().expect("no task panics with the lock");
        names
            .insert(name.to_owned())
            .then(|| Guest { name: name.to_owned(), chat: self.clone() })
    }
}

impl Guest {
    /// Tells everybody what this guest does.
    fn tell(&self, what: &str) {
        let _ = self.chat.messages.send(format!("{}{what}", self.name).into()); // Or nobody is there.
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.tell(" left.");
        if let Ok(mut names) = self.chat.names.lock() {
            names.remove(&self.name);
        }
    }
}
