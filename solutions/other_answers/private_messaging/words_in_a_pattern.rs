//! Another right answer: the command as a pattern, and the recipients as a list.

use crate::{
    protocol::{ClientMessage, Content, ServerMessage, Username, now},
    rooms::Room,
};

pub fn read_command(content: Content) -> Result<ClientMessage, String> {
    let Some(rest) = content.strip_prefix("/pm") else {
        return Ok(ClientMessage::Chat { content });
    };
    match rest.trim_start().split_once(char::is_whitespace) {
        _ if rest.starts_with(|c: char| !c.is_whitespace()) => {
            Ok(ClientMessage::Chat { content })
        }
        None => Err("whom to write to, and what? /pm ben psst".into()),
        Some((to, message)) => Ok(ClientMessage::Private {
            to: Username::try_from(to.to_string())?,
            content: Content::try_from(message.to_string())?,
        }),
    }
}

impl Room {
    pub fn send_private(
        &mut self,
        from: &Username,
        to: &Username,
        content: &Content,
    ) -> Result<(), String> {
        let text =
            ServerMessage::Private { from, to, content, timestamp: now() }.encode();
        let here: Vec<_> = self.members().filter(|name| *name == to).cloned().collect();
        if here.is_empty() {
            return Err(format!("nobody called {to} is here"));
        }
        for name in here.iter().chain((from != to).then_some(from)) {
            self.send(name, text.clone());
        }
        Ok(())
    }
}
