//! Wrong: a list of its own loses the one that `after_leave` names, and nobody else who left with them.
//!
//! Refused by step_12_many_may_leave_at_once:
//! "Ana should hear one list"

use std::collections::BTreeSet;

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

#[derive(Default)]
pub struct OnlineUsers {
    names: BTreeSet<Username>,
}

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        self.online.names.insert(newcomer.clone());
        self.send_online_users();
    }

    pub fn after_leave(&mut self, gone: &Username) {
        self.online.names.remove(gone);
        self.send_online_users();
    }

    fn send_online_users(&mut self) {
        let users = self.online.names.iter().collect();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }
}
