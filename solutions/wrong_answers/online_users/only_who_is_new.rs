//! Wrong: the others receive the newcomer's name alone, as a change.
//!
//! Refused by step_3_everybody_hears_who_joins:
//! "Ben joins Ana, who has an old list."

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.send(newcomer, list);
        let change = ServerMessage::OnlineUsers { users: vec![newcomer] }.encode();
        self.broadcast(change, Some(newcomer));
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
