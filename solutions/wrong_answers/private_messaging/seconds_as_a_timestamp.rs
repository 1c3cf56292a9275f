//! Wrong: the timestamp is a number of seconds, and not the text that chats have.
//!
//! Refused by step_4_it_has_the_time_of_now:
//! "in the form that a chat has"

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username},
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

        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = now.as_secs().to_string();
        let text = ServerMessage::Private { from, to, content, timestamp }.encode();
        self.send(to, text.clone());
        if to != from {
            self.send(from, text);
        }
        Ok(())
    }
}
