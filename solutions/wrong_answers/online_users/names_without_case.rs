//! Wrong: `Ben` and `ben` are taken for one person.
//!
//! Refused by step_8_names_are_compared_exactly:
//! "They are two people"

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
        users.sort_by_key(|name| name.to_string().to_lowercase());
        users.dedup_by_key(|name| name.to_string().to_lowercase());
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }
}
