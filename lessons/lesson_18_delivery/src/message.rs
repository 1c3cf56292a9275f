//! What a message of a client asks for, whoever is to do it.

use axum::extract::ws::Message;
use lesson_08_auth::{RoomName, Username, now};

use crate::{
    log::Draft,
    protocol::{ClientMessage, ServerMessage},
};

/// What is to be done about a message.
pub enum Action {
    /// Append this to the log of the room.
    Append(Draft),
    /// Send this to the client.
    Reply(ServerMessage<'static>),
    /// Nothing: it was a ping, a pong or a Close.
    Ignore,
}

/// Reads a message, and says what is to be done. A mistake gets an answer.
///
/// Why does it not do it? It needs no log and no socket, so it works with any.
pub fn handle_message(message: Message, room: &RoomName, from: &Username) -> Action {
    let text = match message {
        Message::Text(text) => text,
        Message::Binary(_) => {
            let message = "this server reads text, not binary".into();
            return Action::Reply(ServerMessage::Error { message });
        }
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Action::Ignore,
    };

    match ClientMessage::parse(&text) {
        Ok(ClientMessage::Chat { id, content }) => Action::Append(Draft {
            room: room.clone(),
            from: from.clone(),
            id,
            content,
            timestamp: now(),
        }),
        Ok(ClientMessage::Ping) => Action::Reply(ServerMessage::Pong),
        Err(answer) => Action::Reply(answer),
    }
}
