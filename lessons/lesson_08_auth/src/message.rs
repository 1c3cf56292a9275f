//! What a message of a client asks for, whoever is to do it.

use axum::extract::ws::Message;

use crate::protocol::{ClientMessage, RoomName, ServerMessage, Username, now};

/// What is to be done about a message.
pub enum Action {
    /// Send this to the client.
    Reply(ServerMessage),
    /// Send this to everybody in the room, the client too.
    Broadcast(ServerMessage),
    /// Nothing: it was a ping, a pong or a Close.
    Ignore,
}

/// Reads a message, and says what is to be done. A mistake gets an error message in reply.
///
/// Why does it not do it? It needs no rooms and no socket, so it works with any.
pub fn handle_message(message: Message, room: &RoomName, from: &Username) -> Action {
    let parsed = match message {
        Message::Text(text) => ClientMessage::parse(&text),
        Message::Binary(_) => Err("this server reads text, not binary".into()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Action::Ignore,
    };

    match parsed {
        Ok(ClientMessage::Chat { content }) => Action::Broadcast(ServerMessage::Chat {
            room: room.clone(),
            from: from.clone(),
            content,
            timestamp: now(),
        }),
        Ok(ClientMessage::Ping) => Action::Reply(ServerMessage::Pong),
        Err(message) => Action::Reply(ServerMessage::Error { message }),
    }
}
