//! Wrong: `/pm` is a command wherever it stands.
//!
//! Refused by step_13_every_other_chat_stays_a_chat:
//! "it does not begin with /pm and a blank."

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let Some((_, rest)) = content.split_once("/pm") else {
        return Ok(ClientMessage::Chat { content });
    };
    let (to, message) = rest
        .trim_start()
        .split_once(' ')
        .ok_or("write a name and a message, such as /pm ben psst")?;

    Ok(ClientMessage::Private {
        to: Username::try_from(to.to_owned())?,
        content: Content::try_from(message.to_owned())?,
    })
}

impl Room {
    /// Sends a private message to `to`, with a copy to `from`.
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
