//! Wrong: the list is sent where the Close is read. A connection that is lost sends none.
//!
//! Refused by step_5_a_lost_connection_counts:
//! "Ben's connection was lost, without a Close. He is not online any more."

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
    pub fn send_online_users(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
