//! Wrong: the newcomer is added to a list where they are already.
//!
//! Refused by step_1_a_newcomer_hears_who_is_there:
//! "and the only one."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        let mut users: Vec<_> = self.members().chain([newcomer]).collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        self.send_online_users();
    }

    fn send_online_users(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }
}
