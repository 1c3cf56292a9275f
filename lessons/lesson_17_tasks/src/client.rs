//! One client: what it says, and what it hears.

use axum::{
    extract::{
        Path, State,
        ws::{Message, WebSocketUpgrade},
    },
    response::Response,
};

use crate::{
    Chat,
    door::{Full, open_line},
    guards::{Guest, OwnPage},
    line::Line,
    protocol::{FromClient, RoomName, ToClient, Username, now},
    rooms::{Member, RoomManager},
    socket::Ending,
};

pub async fn open_socket(
    _: OwnPage,
    guest: Guest,
    Path(room): Path<RoomName>,
    State(chat): State<Chat>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Full> {
    open_line(upgrade, chat, guest, |line, chat, username| {
        serve_client(line, chat.rooms, room, username)
    })
}

/// Looks after one client, from the moment it joins to the moment it leaves.
async fn serve_client(
    mut line: Line,
    rooms: RoomManager,
    room: RoomName,
    username: Username,
) {
    let mut member = match rooms.join(room, username) {
        Ok(member) => member,
        Err(ending) => return line.part(ending).await,
    };
    let ending = converse(&mut line, &mut member).await;

    drop(member); // Now, not later: a goodbye can take a while.
    line.part(ending).await;
}

/// Answers what the client says, until one of the two ends the conversation.
async fn converse(line: &mut Line, member: &mut Member) -> Ending {
    loop {
        let heard = match line.hear(&mut member.outbox).await {
            Ok(_) if member.outbox.is_closed() => continue, // It has lost its place.
            Ok(Message::Text(text)) => FromClient::parse(&text),
            Ok(_) => Err("this server reads text, not binary".into()),
            Err(ending) => return ending,
        };

        // A page pings by itself, so that is no sign of a person.
        if !matches!(heard, Ok(FromClient::Ping)) {
            line.is_in_use();
        }
        answer(member, heard);
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
