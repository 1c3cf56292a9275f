//! Wrong: whoever has the name in any case is found, and that may be another one.
//!
//! Refused by step_6_the_whole_name_counts:
//! "The room has a "ben", and nobody of that name."

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
        let wanted = to.to_string().to_lowercase();
        let mut found: Vec<_> = self
            .members()
            .filter(|name| name.to_string().to_lowercase() == wanted)
            .cloned()
            .collect();
        found.sort();
        let Some(to) = found.first() else {
            return Err(format!("{to} is not in this room"));
        };

        let text =
            ServerMessage::Private { from, to, content, timestamp: now() }.encode();
        self.send(to, text.clone());
        if to != from {
            self.send(from, text);
        }
        Ok(())
    }
}
