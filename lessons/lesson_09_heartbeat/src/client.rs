//! One client: what it says, and what it hears.

use axum::extract::ws::{Message, WebSocket};

use crate::{
    guards::Guest,
    line::Line,
    protocol::{FromClient, RoomName, ToClient, now},
    rooms::{Member, RoomManager},
    socket::Ending,
};

/// Looks after one client, from the moment it joins to the moment it leaves.
pub async fn serve_client(
    socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    guest: Guest,
) {
    let Some(mut member) = rooms.join(room, guest.username) else {
        return Ending::NAME_TAKEN.part(socket).await;
    };
    let mut line = Line::new(socket, guest.expires);
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
