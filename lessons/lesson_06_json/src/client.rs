//! One client: what it says, and what it hears.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;

use crate::{
    connection_manager::{Connection, ConnectionManager, OUTBOX_SIZE},
    protocol::{FromClient, ToClient, Username, now},
    socket::{Ending, send_all},
};

/// Looks after one client, from the moment it joins to the moment it leaves.
pub async fn serve_client(
    mut socket: WebSocket,
    manager: ConnectionManager,
    username: Username,
) {
    // Why not before the upgrade? The page shall tell the person to take another
    // name, and a page can read only the reason of a Close.
    let Some(mut connection) = manager.connect(username.clone()) else {
        return Ending::NAME_TAKEN.part(socket).await;
    };
    let ending = converse(&mut socket, &mut connection).await;

    println!("{username} left: {ending}.");
    drop(connection); // Now, not later: a goodbye can take a while.
    ending.part(socket).await;
}

/// Carries messages both ways, until one of the two ends the conversation.
async fn converse(socket: &mut WebSocket, connection: &mut Connection) -> Ending {
    let mut waiting = Vec::new();

    loop {
        select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    answer(connection, FromClient::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    answer(connection, Err("this server reads text, not binary".into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
                Some(Err(error)) => return error.into(),
                None => return Ending::Dropped,
            },
            count = connection.outbox.recv_many(&mut waiting, OUTBOX_SIZE) => {
                if count == 0 {
                    return Ending::TOO_SLOW;
                }
                if let Err(ending) = send_all(socket, &mut waiting).await {
                    return ending;
                }
            }
        }
    }
}

/// Does what the client asks for, or tells it why not.
fn answer(connection: &Connection, heard: Result<FromClient, String>) {
    let Connection { manager, username, .. } = connection;

    match heard {
        Ok(FromClient::Chat { content }) => manager.broadcast(
            &ToClient::Chat { from: username, content: &content, timestamp: now() },
            None,
        ),
        Ok(FromClient::Ping) => manager.send_personal(username, &ToClient::Pong),
        Err(message) => manager.send_personal(username, &ToClient::Error { message }),
    }
}
