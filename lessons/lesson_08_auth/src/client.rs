//! One client: what it says, and what it hears.

use axum::extract::ws::{Message, WebSocket};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use crate::{
    guards::Guest,
    protocol::{FromClient, RoomName, ToClient, now},
    rooms::{Member, OUTBOX_SIZE, RoomManager},
    socket::{Ending, send_all},
};

/// Looks after one client, from the moment it joins to the moment it leaves.
pub async fn serve_client(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    guest: Guest,
) {
    let Some(mut member) = rooms.join(room, guest.username) else {
        return Ending::NAME_TAKEN.part(socket).await;
    };
    let ending = converse(&mut socket, &mut member, guest.expires).await;

    println!("{} left {}: {ending}.", member.username, member.room);
    drop(member); // Now, not later: a goodbye can take a while.
    ending.part(socket).await;
}

/// Carries messages both ways, until one of the two ends the conversation.
async fn converse(
    socket: &mut WebSocket,
    member: &mut Member,
    expires: Instant,
) -> Ending {
    let mut waiting = Vec::new();

    loop {
        select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    answer(member, FromClient::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    answer(member, Err("this server reads text, not binary".into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
                Some(Err(error)) => return error.into(),
                None => return Ending::Dropped,
            },
            count = member.outbox.recv_many(&mut waiting, OUTBOX_SIZE) => {
                if count == 0 {
                    return Ending::TOO_SLOW;
                }
                if let Err(ending) = send_all(socket, &mut waiting).await {
                    return ending;
                }
            }
            () = sleep_until(expires) => return Ending::TOKEN_EXPIRED,
        }
    }
}

/// Does what the client asks for, or tells it why not.
fn answer(member: &Member, heard: Result<FromClient, String>) {
    let Member { rooms, room, username, .. } = member;

    match heard {
        Ok(FromClient::Chat { content }) => rooms.broadcast_to_room(
            room,
            &ToClient::Chat { room, from: username, content: &content, timestamp: now() },
        ),
        Ok(FromClient::Ping) => rooms.send_personal(room, username, &ToClient::Pong),
        Err(message) => {
            rooms.send_personal(room, username, &ToClient::Error { message });
        }
    }
}
