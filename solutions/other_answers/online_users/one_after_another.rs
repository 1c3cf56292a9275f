//! Another right answer: each member is sent the list, one after another.

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
        names.sort_unstable();
        let list = ServerMessage::OnlineUsers { users: names.iter().collect() }.encode();
        for name in &names {
            self.send(name, list.clone());
        }
    }
}
