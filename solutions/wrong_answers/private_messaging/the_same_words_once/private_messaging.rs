//! Wrong: each message is remembered, so that nobody receives it twice, and neither does who says it twice.
//!
//! Refused by step_9_the_same_words_may_be_said_again:
//! "These are two messages."

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

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

        let is_new = self.private.insert((from.clone(), to.clone(), content.to_string()));
        if !is_new {
            return Ok(());
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
