//! Wrong: the message is the third word, and the rest of it is lost.
//!
//! Refused by step_11_the_message_arrives_as_it_was_written:
//! "All of them belong to it."

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let words: Vec<_> = content.split_whitespace().collect();
    match words[..] {
        ["/pm", to, message, ..] => Ok(ClientMessage::Private {
            to: Username::try_from(to.to_owned())?,
            content: Content::try_from(message.to_owned())?,
        }),
        ["/pm", ..] => Err("write a name and a message, such as /pm ben psst".into()),
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
