//! Wrong: the list goes to everybody, once for each member.
//!
//! Refused by step_3_everybody_hears_who_joins:
//! "Once is enough."

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
        let count = users.len();
        let list = ServerMessage::OnlineUsers { users }.encode();
        for _ in 0..count {
            self.broadcast(list.clone(), None);
        }
    }
}
