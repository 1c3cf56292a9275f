//! Wrong: who has left once is left out for ever.
//!
//! Refused by step_7_who_comes_back_is_on_the_list:
//! "Ben comes back, and is on the list."

use std::collections::HashSet;

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

#[derive(Default)]
pub struct OnlineUsers {
    gone: HashSet<Username>,
}

impl Room {
    pub fn after_join(&mut self, _newcomer: &Username) {
        self.send_online_users();
    }

    pub fn after_leave(&mut self, gone: &Username) {
        self.online.gone.insert(gone.clone());
        self.send_online_users();
    }

    fn send_online_users(&mut self) {
        let mut users: Vec<_> =
            self.members().filter(|name| !self.online.gone.contains(name)).collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();
        self.broadcast(list, None);
    }
}
