//! One client: what it says, and what it hears.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;

use crate::{
    connection_manager::{Connection, OUTBOX_SIZE},
    query::Options,
    socket::{Ending, send_all},
};

/// Looks after one client, from the moment it joins to the moment it leaves.
pub async fn serve_client(
    mut socket: WebSocket,
    mut connection: Connection,
    options: Options,
) {
    let id = connection.id;
    connection.manager.send_personal(id, format!("You are client {id}."));
    let ending = converse(&mut socket, &mut connection, &options).await;

    println!("Client {id} left: {ending}.");
    drop(connection); // Now, not later: a goodbye can take a while.
    ending.part(socket).await;
}

/// Carries messages both ways, until one of the two ends the conversation.
async fn converse(
    socket: &mut WebSocket,
    connection: &mut Connection,
    options: &Options,
) -> Ending {
    let Connection { id, manager, outbox } = connection;
    let exclude = (!options.echo).then_some(*id);
    let mut waiting = Vec::new();

    loop {
        select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    manager.broadcast(format!("Client {id}: {text}"), exclude);
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
                Some(Err(error)) => return error.into(),
                None => return Ending::Dropped,
            },
            count = outbox.recv_many(&mut waiting, OUTBOX_SIZE) => {
                if count == 0 {
                    return Ending::TOO_SLOW; // We lost our place in the list.
                }
                if let Err(ending) = send_all(socket, &mut waiting).await {
                    return ending;
                }
            }
        }
    }
}
