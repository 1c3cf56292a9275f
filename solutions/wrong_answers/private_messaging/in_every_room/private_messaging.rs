//! Wrong: a person is looked for by name in all rooms, as if names belonged to people.
//!
//! Refused by step_7_other_rooms_are_out_of_reach:
//! "Another Ben is in the room tea."

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Member,
};

/// Reads what somebody has said: a chat, or the command `/pm ben psst`.
pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let (command, rest) =
        content.split_once(char::is_whitespace).unwrap_or((&content, ""));
    if command != "/pm" {
        return Ok(ClientMessage::Chat { content });
    }
    let (to, message) = rest
        .trim_start()
        .split_once(char::is_whitespace)
        .ok_or("write a name and a message, such as /pm ben psst")?;

    Ok(ClientMessage::Private {
        to: Username::try_from(to.to_owned())?,
        content: Content::try_from(message.to_owned())?,
    })
}

pub fn send_private(
    member: &Member,
    to: &Username,
    content: &Content,
) -> Result<(), String> {
    let from = &member.username;
    let text = ServerMessage::Private { from, to, content, timestamp: now() }.encode();
    let mut found = false;
    member.in_all_rooms(|room| {
        found |= room.has(to);
        room.send(to, text.clone());
    });
    if !found {
        return Err(format!("{to} is not online"));
    }
    if to != from {
        member.in_room(|room| room.send(from, text));
    }
    Ok(())
}
