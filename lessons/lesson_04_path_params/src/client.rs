//! One client: what it sends, and what is sent to it.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;
use tracing::info;

use crate::{
    connection_manager::{Connection, OUTBOX_SIZE},
    socket::{Disconnect, close, send_all},
};

/// Handles one client, from the moment it joins to the moment it is gone.
pub async fn handle_socket(mut socket: WebSocket, mut connection: Connection) {
    let id = connection.id;
    connection.manager.send_personal(id, format!("You are client {id}."));
    let disconnect = run(&mut socket, &mut connection).await;

    drop(connection); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!("client {id} disconnected: {disconnect}");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(socket: &mut WebSocket, connection: &mut Connection) -> Disconnect {
    let Connection { id, manager, outbox } = connection;
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    manager.broadcast(format!("Client {id}: {text}"), Some(*id));
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Disconnect::ByClient(frame),
                Some(Err(error)) => return error.into(),
                None => return Disconnect::Lost,
            },
            count = outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // We were removed.
                }
                if let Err(disconnect) = send_all(socket, &mut queued).await {
                    return disconnect;
                }
            }
        }
    }
}
