//! Another right answer: a list that is sorted at all times, made from the room's own.
//!
//! A `BTreeSet` sorts while it is filled. With two members or two thousand, it is made
//! anew at each change.

use std::collections::BTreeSet;

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        let list = self.online_users();
        self.broadcast(list.clone(), Some(newcomer));
        self.send(newcomer, list);
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        let list = self.online_users();
        self.broadcast(list, None);
    }

    fn online_users(&self) -> axum::extract::ws::Utf8Bytes {
        let users = self.members().collect::<BTreeSet<_>>().into_iter().collect();
        ServerMessage::OnlineUsers { users }.encode()
    }
}
