//! Wrong: the list is sorted after a join, and not after a leave.
//!
//! Refused by step_6_the_rest_is_sorted_too:
//! "should be sorted, too."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, _newcomer: &Username) {
        self.send_online_users();
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        let users = self.members().collect();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }

    fn send_online_users(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }
}
