//! Wrong: the newcomer is left out, as with `user_joined`.
//!
//! Refused by step_1_a_newcomer_hears_who_is_there:
//! "She is the first on its list."

use crate::{
    protocol::{ToClient, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        self.tell_who_is_online(Some(newcomer));
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        self.tell_who_is_online(None);
    }

    fn tell_who_is_online(&mut self, exclude: Option<&Username>) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ToClient::OnlineUsers { users }.encode();

        self.broadcast(list, exclude);
    }
}
