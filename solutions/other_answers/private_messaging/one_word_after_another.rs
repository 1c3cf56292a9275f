//! Another right answer: the words one after another, and where the rest begins.

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let mut words = content.split_whitespace();
    if words.next() != Some("/pm") {
        return Ok(ClientMessage::Chat { content });
    }
    let to = words.next().ok_or("to whom?")?;
    let rest = content["/pm".len()..].trim_start();
    let message = rest[to.len()..].trim_start();

    match (Username::try_from(to.to_string()), Content::try_from(message.to_string())) {
        (Ok(to), Ok(content)) => Ok(ClientMessage::Private { to, content }),
        (Err(error), _) => Err(format!("{to:?}: {error}")),
        (_, Err(error)) => Err(format!("what shall {to} be told? {error}")),
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

        let private = ServerMessage::Private { from, to, content, timestamp: now() };
        if from != to {
            self.send(from, private.encode());
        }
        self.send(to, private.encode());
        Ok(())
    }
}
