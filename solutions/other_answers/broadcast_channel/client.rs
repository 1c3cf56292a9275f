//! One client: what it says, and what it hears.

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use tokio::{select, sync::broadcast::error::RecvError};

use crate::{
    protocol::{Chat, FromClient, RoomName, ToClient, Username, now},
    rooms::{Letter, Member, Room, RoomManager},
    socket::{Ending, send_all},
    typing_indicator::TypingTimer,
};

/// Looks after one client, from the moment it joins to the moment it leaves.
pub async fn serve_client(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    username: Username,
) {
    let Some(mut member) = rooms.join(room, username) else {
        return Ending::NAME_TAKEN.part(socket).await;
    };
    let ending = converse(&mut socket, &mut member).await;

    drop(member); // Now, not later: a goodbye can take a while.
    ending.part(socket).await;
}

/// Carries messages both ways, until one of the two ends the conversation.
async fn converse(socket: &mut WebSocket, member: &mut Member) -> Ending {
    let mut waiting = Vec::new();
    let mut timer = TypingTimer::default();

    loop {
        select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    answer(member, &mut timer, FromClient::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    let refusal = "this server reads text, not binary".into();
                    answer(member, &mut timer, Err(refusal));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
                Some(Err(error)) => return error.into(),
                None => return Ending::Dropped,
            },
            letter = member.letters.recv() => {
                if take(letter, member, &mut waiting).is_err() {
                    return Ending::TOO_SLOW;
                }
                // What else is there leaves in the same go.
                while let Ok(letter) = member.letters.try_recv() {
                    let _ = take(Ok(letter), member, &mut waiting); // It is Ok.
                }
                if let Err(ending) = send_all(socket, &mut waiting).await {
                    return ending;
                }
            }
            () = timer.runs_out() => {
                member.in_room(|room| room.stops_typing(&member.username));
            }
        }
    }
}

/// Keeps a letter if it is for us. An error if we are too far behind.
fn take(
    letter: Result<Letter, RecvError>,
    member: &Member,
    waiting: &mut Vec<Utf8Bytes>,
) -> Result<(), RecvError> {
    let letter = letter?;
    if letter.is_for(&member.username) {
        waiting.push(letter.text);
    }
    Ok(())
}

/// Does what the client asks for, or tells it why not.
fn answer(member: &Member, timer: &mut TypingTimer, heard: Result<FromClient, String>) {
    let heard = heard.and_then(|message| member.may_say(&message).map(|()| message));
    member.in_room(|room| {
        let done = heard.and_then(|message| act(member, room, timer, message));
        if let Err(message) = done {
            room.send(&member.username, ToClient::Error { message }.encode());
        }
    });
}

/// The error is a sentence for the person who sent the message.
fn act(
    member: &Member,
    room: &mut Room,
    timer: &mut TypingTimer,
    message: FromClient,
) -> Result<(), String> {
    let from = &member.username;

    match message {
        FromClient::Ping => room.send(from, ToClient::Pong.encode()),
        FromClient::Chat { content } => {
            let (name, from) = (member.room.clone(), from.clone());
            room.chat(Chat { room: name, from, content, timestamp: now(), seq: None });
        }
        FromClient::Private { to, content } => {
            room.stops_typing(from);
            room.send_private(from, &to, &content)?;
        }
        FromClient::Typing => {
            timer.restart();
            room.starts_typing(from);
        }
        FromClient::Resume { after } => room.resume(from, after),
    }
    Ok(())
}
