//! Wrong: what cannot be read as a command is sent to everybody.
//!
//! Refused by step_12_a_broken_command_is_answered:
//! "There is no message in it."

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    match content.splitn(3, char::is_whitespace).collect::<Vec<_>>()[..] {
        ["/pm", to, message] => Ok(ClientMessage::Private {
            to: Username::try_from(to.to_owned())?,
            content: Content::try_from(message.to_owned())?,
        }),
        _ => Ok(ClientMessage::Chat { content }),
    }
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
