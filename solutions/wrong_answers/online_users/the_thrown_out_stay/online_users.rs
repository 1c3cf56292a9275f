//! Wrong: the list is sent by the connection that ends. Who is thrown out has lost its place before.
//!
//! Refused by step_8_whoever_is_thrown_out_is_off_the_list:
//! "until he is thrown out."

use crate::{
    protocol::{ToClient, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, _newcomer: &Username) {
        self.tell_who_is_online();
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        self.tell_who_is_online();
    }

    /// Sends the list that the room has anyway: one that we kept ourselves could come to
    /// differ from it.
    fn tell_who_is_online(&mut self) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ToClient::OnlineUsers { users }.encode();

        self.broadcast(list, None);
    }
}
