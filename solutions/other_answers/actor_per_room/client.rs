//! One client: what it says goes to its room, and what the room has for it goes to it.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;

use crate::{
    protocol::{FromClient, RoomName, Username},
    rooms::{Member, OUTBOX_SIZE, RoomManager},
    socket::{Ending, send_all},
};

pub async fn serve_client(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    username: Username,
) {
    let Some(mut member) = rooms.join(room, username).await else {
        return Ending::NAME_TAKEN.part(socket).await;
    };
    let ending = converse(&mut socket, &mut member).await;

    member.leave().await;
    ending.part(socket).await;
}

async fn converse(socket: &mut WebSocket, member: &mut Member) -> Ending {
    let mut waiting = Vec::new();

    loop {
        select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    member.act(FromClient::parse(&text)).await;
                }
                Some(Ok(Message::Binary(_))) => {
                    member.act(Err("this server reads text, not binary".into())).await;
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
        }
    }
}
