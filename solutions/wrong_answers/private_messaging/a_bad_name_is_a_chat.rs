//! Wrong: a command that cannot be read is said aloud, so everybody reads the secret.
//!
//! Refused by step_12_a_broken_command_is_answered:
//! "Nobody can be called b@d, and she should be told so."

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

    let read = (Username::try_from(to.to_owned()), Content::try_from(message.to_owned()));
    match read {
        (Ok(to), Ok(message)) => Ok(ClientMessage::Private { to, content: message }),
        _ => Ok(ClientMessage::Chat { content }),
    }
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
