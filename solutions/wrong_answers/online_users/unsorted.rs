//! Wrong: the order is that of the `HashMap`, another one in each run.
//!
//! Refused by step_2_the_names_are_sorted:
//! "The list should be sorted by name."

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
        let users = self.members().collect();
        let list = ServerMessage::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
