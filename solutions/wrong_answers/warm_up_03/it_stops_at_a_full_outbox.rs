//! Wrong: the loop ends at the first outbox that is full.
//!
//! Refused by step_5_who_reads_nothing_holds_up_nobody:
//! "and their outboxes are full. They miss what comes, and all others hear it."

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
    fn connect(&self) -> Connection {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);

        let mut clients = self.lock();
        clients.last_id += 1;
        let id = clients.last_id;
        clients.outboxes.insert(id, sender);

        // How many entries are on the list, and not the id: clients leave, and ids stay used.
        let count = clients.outboxes.len();
        // The lock is held until the end of the function. So nobody else can join between
        // the greeting and the announcement, and what we say is true.
        let greeting = format!("You are client {id}. Connected: {count}.");
        clients.send_personal(id, greeting.into());
        clients.broadcast(format!("Client {id} joined.").into(), Some(id));

        Connection { id, manager: self.clone(), outbox }
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Puts `text` into the outboxes of all clients but `exclude`.
    fn broadcast(&self, text: Utf8Bytes, exclude: Option<ClientId>) {
        for (&id, outbox) in &self.outboxes {
            if Some(id) != exclude && outbox.try_send(text.clone()).is_err() {
                break;
            }
        }
    }

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
