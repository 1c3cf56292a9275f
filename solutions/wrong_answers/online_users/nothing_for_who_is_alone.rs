//! Wrong: who is alone receives no list.
//!
//! Refused by step_1_a_newcomer_hears_who_is_there:
//! "She is the first on its list"

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

    fn send_online_users(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        if self.members().count() > 1 {
            self.broadcast(list, None);
        }
    }
}
