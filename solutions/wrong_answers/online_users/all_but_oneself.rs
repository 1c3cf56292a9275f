//! Wrong: each receives the names of the others, without their own.
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
        let mut names: Vec<_> = self.members().cloned().collect();
        names.sort();
        for name in &names {
            let users = names.iter().filter(|other| *other != name).collect();
            self.send(name, ServerMessage::OnlineUsers { users }.encode());
        }
    }
}
