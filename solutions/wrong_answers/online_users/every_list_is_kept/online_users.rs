//! Wrong: every list is kept, and nobody asks for it again.
//!
//! Refused by step_13_no_list_is_kept_in_memory:
//! "though nobody asks for an old list again."

use axum::extract::ws::Utf8Bytes;

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

#[derive(Default)]
pub struct OnlineUsers {
    sent: Vec<Utf8Bytes>,
}

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
        if self.online.sent.last() != Some(&list) {
            self.online.sent.push(list.clone());
            self.broadcast(list, None);
        }
    }
}
