//! Wrong: nobody is told when somebody leaves.
//!
//! Refused by step_4_everybody_hears_who_leaves:
//! "Ana needs a list without him."

use crate::{
    protocol::{ToClient, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, _newcomer: &Username) {
        self.tell_who_is_online();
    }

    pub fn after_leave(&mut self, _gone: &Username) {}

    /// Sends the list that the room has anyway: one that we kept ourselves could come to
    /// differ from it.
    fn tell_who_is_online(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ToClient::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
