//! Wrong: the words are taken apart and put together again, with one blank each.
//!
//! Refused by step_11_the_message_arrives_as_it_was_written:
//! "All of them belong to it."

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let mut words = content.split_whitespace();
    if words.next() != Some("/pm") {
        return Ok(ClientMessage::Chat { content });
    }
    let to = words.next().unwrap_or_default();
    let message = words.collect::<Vec<_>>().join(" ");

    Ok(ClientMessage::Private {
        to: Username::try_from(to.to_owned())?,
        content: Content::try_from(message)?,
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
