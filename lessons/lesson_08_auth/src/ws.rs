//! One client of the chat: what it sends (see `message.rs`), and what is sent to it.

use axum::{
    extract::{Path, State, ws::Message},
    response::Response,
};
use tokio::select;
use tracing::info;

use crate::{
    message::{Action, handle_message},
    protocol::RoomName,
    rooms::{Member, OUTBOX_SIZE, RoomManager},
    session::{Session, SessionUpgrade},
    socket::Disconnect,
};

/// The chat, for a path with the name of a `{room}`, and a state that holds an
/// [`Auth`](crate::Auth) and a [`RoomManager`].
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
) -> Response {
    upgrade.on_upgrade(|session| handle_socket(session, rooms, room))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut session: Session, rooms: RoomManager, room: RoomName) {
    let username = session.username.clone();
    let Some(mut member) = rooms.join(room.clone(), username.clone()) else {
        return session.close(&Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut session, &mut member).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(session: &mut Session, member: &mut Member) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = session.recv() => match received {
                Ok(message) => act(member, message),
                Err(disconnect) => return disconnect,
            },
            count = member.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                let texts = queued.drain(..).flat_map(|batch| batch.to_vec());
                if let Err(disconnect) = session.send_all(texts.map(Message::Text)).await {
                    return disconnect;
                }
            }
        }
    }
}

/// Does what a message of this member asks for.
fn act(member: &Member, message: Message) {
    match handle_message(message, &member.room, &member.username) {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => member.broadcast(&message),
        Action::Ignore => {}
    }
}
