//! Wrong: the newcomer gets a list, and the others keep the one that they have.
//!
//! Refused by step_3_everybody_hears_who_joins:
//! "Ben joins Ana, who has an old list."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.send(newcomer, list);
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }
}
