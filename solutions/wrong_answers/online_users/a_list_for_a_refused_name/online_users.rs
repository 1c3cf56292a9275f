//! Wrong: who asks for a name that is taken causes a list, though the name is refused.
//!
//! Refused by step_10_a_refused_name_changes_nothing:
//! "Ana's list is still right."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, _newcomer: &Username) {
        self.send_online_users();
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        self.send_online_users();
    }

    /// Sends the list that the room has anyway: one that we kept ourselves could come to
    /// differ from it.
    fn send_online_users(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
