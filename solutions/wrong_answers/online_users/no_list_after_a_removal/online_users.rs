//! Wrong: the list is sent when a member's task ends. Who is too slow is removed before.
//!
//! Refused by step_11_whoever_is_too_slow_is_off_the_list:
//! "until he is disconnected."

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
