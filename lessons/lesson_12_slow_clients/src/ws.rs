//! One client of the chat: what it sends, and what is sent to it.

use axum::{
    extract::{Path, State, ws::Message},
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, RoomName, Session, SessionUpgrade, encode, handle_message,
};
use serde::Serialize;
use tokio::select;
use tracing::info;

use crate::{
    outbox::Outgoing,
    rooms::{Member, RoomManager},
};

/// The chat, for a path with the name of a `{room}`, and a state that holds an
/// [`Auth`](lesson_08_auth::Auth) and a [`RoomManager`].
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
    loop {
        select! {
            received = session.recv() => match received {
                Ok(message) => act(member, message),
                Err(disconnect) => return disconnect,
            },
            outgoing = member.outbox.recv() => {
                let Some(outgoing) = outgoing else {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                };
                if let Err(disconnect) = session.send_all(messages(outgoing)).await {
                    return disconnect;
                }
            }
        }
    }
}

/// What goes over the socket: first how many messages were missed, if any were.
fn messages(Outgoing { missed, batches }: Outgoing) -> impl Iterator<Item = Message> {
    let notice = (missed > 0).then(|| encode(&Missed { count: missed }));
    let texts = batches.into_iter().flat_map(|batch| batch.to_vec());
    notice.into_iter().chain(texts).map(Message::Text)
}

/// A message that lesson 08 does not have: `{"type":"missed","count":744}`.
///
/// `count` counts everything that would have come here, between the message before this
/// one and the next: chats, joins and leaves, and replies to this client alone.
#[derive(Serialize)]
#[serde(tag = "type", rename = "missed")]
struct Missed {
    count: usize,
}

/// Does what a message of this member asks for.
fn act(member: &Member, message: Message) {
    match handle_message(message, &member.room, &member.username) {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => member.broadcast(&message),
        Action::Ignore => {}
    }
}
