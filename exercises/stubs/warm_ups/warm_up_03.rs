//! Warm-up for lesson 03: a greeting with a number.
//!
//! Read first: the chapter of lesson 03, stages 1 and 4
//! Edit:       this file, in two places
//! Check:      cargo course check warm_up_03
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with the
//!             address /warm_up_03/ws

#![allow(dead_code, unused_variables)] // For the gaps. Delete this line with them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use crate::socket::{Disconnect, close, with_limits};

/// How many messages may wait for one client.
const OUTBOX_SIZE: usize = 256;

type ClientId = u32;

/// Everyone who is connected right now. All clones share one list.
#[derive(Clone, Default)]
struct ConnectionManager {
    clients: Arc<Mutex<Clients>>,
}

#[derive(Default)]
struct Clients {
    last_id: ClientId,
    outboxes: HashMap<ClientId, mpsc::Sender<Utf8Bytes>>,
}

/// A client that is on the list, for as long as this guard lives.
struct Connection {
    id: ClientId,
    manager: ConnectionManager,
    outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // To keep this short, nobody is told who has left.
        self.manager.lock().outboxes.remove(&self.id);
    }
}

impl ConnectionManager {
    /// Adds a client, greets it, and notifies the others.
    ///
    /// When client 4 connects, and two others are there at that moment, then
    ///
    /// - client 4 receives "You are client 4. Connected: 3.", and nothing else;
    /// - each of the others receives "Client 4 joined."
    ///
    /// What makes it interesting: an id is never given twice, and clients leave. So the
    /// number of clients is not the id of the newest.
    ///
    /// - Which collection has an entry for each client that is there, and knows how many
    ///   entries it has? Is the newcomer in it already?
    /// - `clients` is the guard of the lock. A method of `ConnectionManager` that takes the
    ///   lock would wait for it for ever. Which methods of `Clients`, below, do not?
    fn connect(&self) -> Connection {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut clients = self.lock();
        clients.last_id += 1;
        let id = clients.last_id;
        clients.outboxes.insert(id, sender);
        // Your code.

        Connection { id, manager: self.clone(), outbox }
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Puts `text` into the outboxes of all clients but `exclude`. A client whose outbox is full
    /// misses it, and all others receive it.
    ///
    /// - What does a loop over `&self.outboxes` give you in each turn?
    /// - `exclude` is an `Option`, and an id is none. How does lesson 03 compare the two?
    /// - Each outbox wants a text of its own. What does a clone of a `Utf8Bytes` cost?
    fn broadcast(&self, text: Utf8Bytes, exclude: Option<ClientId>) {}

    /// Puts `text` into the outbox of one client, if it is there.
    fn send_personal(&self, to: ClientId, text: Utf8Bytes) {
        if let Some(outbox) = self.outboxes.get(&to) {
            let _ = outbox.try_send(text); // If it is full, the client misses one.
        }
    }
}

pub fn router() -> Router {
    Router::new()
        .route("/warm_up_03/ws", any(ws_handler))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    upgrade: WebSocketUpgrade,
    State(manager): State<ConnectionManager>,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, manager))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut socket: WebSocket, manager: ConnectionManager) {
    let mut connection = manager.connect();
    let disconnect = run(&mut socket, &mut connection).await;

    drop(connection);
    close(socket, &disconnect).await;
}

/// Writes what is in the outbox. What the client says is ignored.
async fn run(socket: &mut WebSocket, connection: &mut Connection) -> Disconnect {
    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Close(frame))) => {
                    return Disconnect::ByClient(frame.map(|frame| frame.code));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Disconnect::Lost,
            },
            queued = connection.outbox.recv() => {
                let Some(text) = queued else { return Disconnect::Lost };
                if socket.send(Message::Text(text)).await.is_err() {
                    return Disconnect::Lost;
                }
            }
        }
    }
}
