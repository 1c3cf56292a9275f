//! Wrong: the list is sent where the Close is read. A line that drops sends none.
//!
//! Refused by step_5_a_dropped_line_counts:
//! "Ben's line dropped, without a goodbye. He is not online any more."

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
    pub fn tell_who_is_online(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ToClient::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
