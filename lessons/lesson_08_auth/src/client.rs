//! One client: what it sends, and what is sent to it.

use axum::extract::ws::{Message, WebSocket};
use tokio::{
    select,
    time::{Instant, sleep_until},
};
use tracing::info;

use crate::{
    extract::CurrentUser,
    protocol::{ClientMessage, RoomName, ServerMessage, now},
    rooms::{Member, OUTBOX_SIZE, RoomManager},
    socket::{Disconnect, close, send_all},
};

/// Handles one client, from the moment it connects to the moment it is gone.
pub async fn handle_socket(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    user: CurrentUser,
) {
    let CurrentUser { username, expires } = user;
    let Some(mut member) = rooms.join(room.clone(), username.clone()) else {
        return close(socket, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut socket, &mut member, expires).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(
    socket: &mut WebSocket,
    member: &mut Member,
    expires: Instant,
) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    handle_message(member, ClientMessage::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    handle_message(member, Err("this server reads text, not binary".into()));
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
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                if let Err(disconnect) = send_all(socket, &mut queued).await {
                    return disconnect;
                }
            }
            () = sleep_until(expires) => return Disconnect::TOKEN_EXPIRED,
        }
    }
}

/// Does what the client asks for, or sends it an error that says why not.
fn handle_message(member: &Member, received: Result<ClientMessage, String>) {
    let Member { rooms, room, username, .. } = member;

    match received {
        Ok(ClientMessage::Chat { content }) => rooms.broadcast_to_room(
            room,
            &ServerMessage::Chat {
                room,
                from: username,
                content: &content,
                timestamp: now(),
            },
        ),
        Ok(ClientMessage::Ping) => {
            rooms.send_personal(room, username, &ServerMessage::Pong);
        }
        Err(message) => {
            rooms.send_personal(room, username, &ServerMessage::Error { message });
        }
    }
}
