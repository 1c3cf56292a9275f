//! Wrong: the newcomer receives the list as one of all, and once more.
//!
//! Refused by step_1_a_newcomer_hears_who_is_there:
//! "Ana is alone, and has the list. Once is enough."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        self.send_online_users();
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.send(newcomer, list);
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
