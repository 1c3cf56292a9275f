//! Wrong: `/PM` is a command, too, though everything but `/pm` should stay a chat.
//!
//! Refused by step_13_every_other_chat_stays_a_chat:
//! "Ana says "/PM ben psst" to all"

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let (command, rest) =
        content.split_once(char::is_whitespace).unwrap_or((&content, ""));
    if !command.eq_ignore_ascii_case("/pm") {
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

impl Room {
    pub fn send_private(
        &mut self,
        from: &Username,
        to: &Username,
        content: &Content,
    ) -> Result<(), String> {
        if !self.has(to) {
            return Err(format!("{to} is not in this room"));
        }

        let text =
            ServerMessage::Private { from, to, content, timestamp: now() }.encode();
        self.send(to, text.clone());
        if to != from {
            self.send(from, text);
        }
        Ok(())
    }
}
