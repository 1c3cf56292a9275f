//! Wrong: `send` waits until the recipient has room, and a lock is held meanwhile.
//!
//! Refused by step_14_a_client_that_does_not_read_holds_up_nobody:
//! "Ana writes to him, and has to wait herself."

use tokio::sync::Mutex;

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

/// One private message at a time, so that all are in order.
static IN_ORDER: Mutex<()> = Mutex::const_new(());

pub async fn send_private(
    member: &Member,
    to: &Username,
    content: &Content,
) -> Result<(), String> {
    let from = &member.username;
    let text = ServerMessage::Private { from, to, content, timestamp: now() }.encode();
    let _order = IN_ORDER.lock().await;

    let outbox = member.in_room(|room| room.outbox(to)).flatten();
    let Some(outbox) = outbox else {
        return Err(format!("{to} is not in this room"));
    };
    let _ = outbox.send([text.clone()].into()).await; // Or it left.
    if to != from {
        member.in_room(|room| room.send(from, text));
    }
    Ok(())
}
