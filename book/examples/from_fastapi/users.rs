//! Messages to one person: a map from name to outbox.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::{
        Path, State,
        ws::{Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{select, sync::mpsc};

use crate::socket::{receive_json, send_json, send_text, with_limits};

/// How many messages may wait for one person. The next one is not sent, and its sender is
/// told.
const OUTBOX_SIZE: usize = 64;

/// Everyone who is registered. All clones share one map.
#[derive(Clone, Default)]
pub struct UserManager {
    outboxes: Arc<Mutex<HashMap<String, mpsc::Sender<Utf8Bytes>>>>,
}

/// Somebody is registered for as long as this lives.
struct Registration {
    name: String,
    manager: UserManager,
    outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.manager.unregister_user(&self.name);
    }
}

impl UserManager {
    /// `None` if the name is in use.
    fn register_user(&self, name: String) -> Option<Registration> {
        match self.lock().entry(name.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(entry) => {
                let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
                entry.insert(sender);
                Some(Registration { name, manager: self.clone(), outbox })
            }
        }
    }

    fn unregister_user(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Whether the message is in the outbox of `name` now.
    ///
    /// It waits for nobody: nobody of this name, or a full outbox, and it is `false`.
    fn send_to_user(&self, name: &str, text: impl Into<Utf8Bytes>) -> bool {
        let outboxes = self.lock();
        outboxes.get(name).is_some_and(|outbox| outbox.try_send(text.into()).is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Utf8Bytes>>> {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub async fn user_handler(
    Path(name): Path<String>,
    State(manager): State<UserManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(user) = manager.register_user(name) else {
        return (StatusCode::CONFLICT, "This name is in use.").into_response();
    };
    with_limits(upgrade).on_upgrade(|socket| handle_user(socket, user))
}

/// A message from one person to another, as in `{"to":"ben","content":"psst"}`.
#[derive(Deserialize)]
struct PersonalMessage {
    to: String,
    content: String,
}

async fn handle_user(mut socket: WebSocket, mut user: Registration) {
    loop {
        select! {
            received = receive_json(&mut socket) => {
                let error = match received {
                    None => break, // The person has left.
                    Some(Err(error)) => error,
                    Some(Ok(PersonalMessage { to, content })) => {
                        let text = json!({ "from": user.name, "content": content });
                        if user.manager.send_to_user(&to, text.to_string()) {
                            continue;
                        }
                        format!("{to} is not here, or does not read")
                    }
                };
                let error = json!({ "type": "error", "message": error });
                if send_json(&mut socket, &error).await.is_err() {
                    break;
                }
            }
            Some(text) = user.outbox.recv() => {
                if send_text(&mut socket, text).await.is_err() {
                    break;
                }
            }
        }
    }
}
