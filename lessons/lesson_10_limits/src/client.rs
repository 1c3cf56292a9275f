//! One client: what it says, and what it hears.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use tokio::time::timeout;

use crate::{
    Chat,
    guards::Guest,
    line::Line,
    protocol::{FromClient, RoomName, ToClient, now},
    rooms::Member,
    socket::Ending,
};

/// How long we wait for a client that may not stay.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// Says goodbye to a client whose person has too many, but not at length: until it hangs
/// up, it has a place that belongs to all.
pub async fn turn_away(socket: WebSocket) {
    let goodbye = Ending::TOO_MANY_CONNECTIONS.part(socket);
    let _ = timeout(SHORT_PATIENCE, goodbye).await; // It hangs up, or we do.
}

/// Looks after one client, from the moment it joins to the moment it leaves.
pub async fn serve_client(socket: WebSocket, chat: Chat, room: RoomName, guest: Guest) {
    let mut member = match chat.rooms.join(room, guest.username) {
        Ok(member) => member,
        Err(ending) => return ending.part(socket).await,
    };
    let mut line = Line::new(socket, guest.expires, chat.paces.of(&member.username));
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
