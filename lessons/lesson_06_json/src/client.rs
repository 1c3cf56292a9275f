//! One client: what it sends, and what is sent to it.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;
use tracing::info;

use crate::{
    connection_manager::{Connection, ConnectionManager, OUTBOX_SIZE},
    protocol::{ClientMessage, ServerMessage, Username, now},
    socket::{Disconnect, close, send_all},
};

/// Handles one client, from the moment it joins to the moment it is gone.
pub async fn handle_socket(
    mut socket: WebSocket,
    manager: ConnectionManager,
    username: Username,
) {
    // Why not before the upgrade? The page should ask for another name, and all that a
    // page can read is the code and the reason of a Close.
    let Some(mut connection) = manager.connect(username.clone()) else {
        return close(socket, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut socket, &mut connection).await;

    drop(connection); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(%username, "disconnected: {disconnect}");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(socket: &mut WebSocket, connection: &mut Connection) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    handle_message(connection, ClientMessage::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    handle_message(connection, Err("this server reads text, not binary".into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Disconnect::ByClient(frame),
                Some(Err(error)) => return error.into(),
                None => return Disconnect::Lost,
            },
            count = connection.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW;
                }
                if let Err(disconnect) = send_all(socket, &mut queued).await {
                    return disconnect;
                }
            }
        }
    }
}

/// Does what the client asks for, or sends it an error that says why not.
fn handle_message(connection: &Connection, received: Result<ClientMessage, String>) {
    let Connection { manager, username, .. } = connection;

    match received {
        Ok(ClientMessage::Chat { content }) => manager.broadcast(
            &ServerMessage::Chat { from: username, content: &content, timestamp: now() },
            None,
        ),
        Ok(ClientMessage::Ping) => manager.send_personal(username, &ServerMessage::Pong),
        Err(message) => {
            manager.send_personal(username, &ServerMessage::Error { message })
        }
    }
}
