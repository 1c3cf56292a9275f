//! One client: what it sends, and what is sent to it.

use axum::extract::ws::{Message, WebSocket};
use tokio::select;

use crate::{
    private_messaging::read_command,
    protocol::{Chat, ClientMessage, RoomName, ServerMessage, Username, now},
    rooms::{Member, OUTBOX_SIZE, Room, RoomManager},
    socket::{Disconnect, close, send_all},
    typing_indicator::TypingTimer,
};

/// Handles one client, from the moment it joins to the moment it is gone.
pub async fn handle_socket(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    username: Username,
) {
    let Some(mut member) = rooms.join(room, username) else {
        return close(socket, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut socket, &mut member).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(socket: &mut WebSocket, member: &mut Member) -> Disconnect {
    let mut queued = Vec::new();
    let mut timer = TypingTimer::default();
    let features = member.features();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    handle_message(member, &mut timer, ClientMessage::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    let error = "this server reads text, not binary".into();
                    handle_message(member, &mut timer, Err(error));
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
            () = timer.runs_out(), if features.contains(2) => {
                member.in_room(|room| room.stops_typing(&member.username));
            }
        }
    }
}

/// Does what the client asks for, or tells it why not.
fn handle_message(
    member: &Member,
    timer: &mut TypingTimer,
    received: Result<ClientMessage, String>,
) {
    let read = received.and_then(|message| match message {
        ClientMessage::Chat { content } if member.features().contains(1) => {
            read_command(content)
        }
        other => Ok(other),
    });
    let allowed = read.and_then(|message| member.may_send(&message).map(|()| message));

    member.in_room(|room| {
        let done = allowed.and_then(|message| act(member, room, timer, message));
        if let Err(message) = done {
            room.send(&member.username, ServerMessage::Error { message }.encode());
        }
    });
}

/// The error is a sentence for the person who sent the message.
fn act(
    member: &Member,
    room: &mut Room,
    timer: &mut TypingTimer,
    message: ClientMessage,
) -> Result<(), String> {
    let from = &member.username;

    match message {
        ClientMessage::Ping => room.send(from, ServerMessage::Pong.encode()),
        ClientMessage::Chat { content } => {
            let (name, from) = (member.room.clone(), from.clone());
            room.chat(Chat { room: name, from, content, timestamp: now(), seq: None });
        }
        ClientMessage::Private { to, content } => {
            room.exercise(2, |room| room.stops_typing(from));
            room.exercise(1, |room| room.send_private(from, &to, &content))
                .unwrap_or(Ok(()))?;
        }
        ClientMessage::Typing => {
            room.exercise(2, |room| {
                timer.restart();
                room.starts_typing(from);
            });
        }
        ClientMessage::Resume { after } => {
            room.exercise(7, |room| room.resume(from, after));
        }
    }
    Ok(())
}
