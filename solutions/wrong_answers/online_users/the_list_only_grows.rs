//! Wrong: nobody is told when somebody leaves.
//!
//! Refused by step_4_everybody_hears_who_leaves:
//! "Ana needs a list without him."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, _newcomer: &Username) {
        self.send_online_users();
    }

    pub fn after_leave(&mut self, _gone: &Username) {}

    /// Sends the list that the room has anyway: one that we kept ourselves could come to
    /// differ from it.
    fn send_online_users(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
