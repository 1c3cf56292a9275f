//! One client: what it sends goes to its room, and what the room sends goes to it.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;

use crate::{
    protocol::{ClientMessage, RoomName, Username},
    rooms::{Member, OUTBOX_SIZE, RoomManager},
    socket::{Disconnect, close, send_all},
};

pub async fn handle_socket(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    username: Username,
) {
    let Some(mut member) = rooms.join(room, username).await else {
        return close(socket, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut socket, &mut member).await;

    member.leave().await;
    close(socket, &disconnect).await;
}

async fn run(socket: &mut WebSocket, member: &mut Member) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    member.act(ClientMessage::parse(&text)).await;
                }
                Some(Ok(Message::Binary(_))) => {
                    member.act(Err("this server reads text, not binary".into())).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return Disconnect::ByClient(frame.map(|frame| frame.code));
                }
                Some(Err(error)) => return error.into(),
                None => return Disconnect::Lost,
            },
            count = member.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
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
