//! Wrong: the newcomer is left out, as with `user_joined`.
//!
//! Refused by step_1_a_newcomer_hears_who_is_there:
//! "She is the first on its list"

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        self.send_online_users(Some(newcomer));
    }

    pub fn after_leave(&mut self, _gone: &Username) {
        self.send_online_users(None);
    }

    fn send_online_users(&mut self, exclude: Option<&Username>) {
        let mut users: Vec<_> = self.members().collect();
        users.sort();
        let list = ServerMessage::OnlineUsers { users }.encode();

        self.broadcast(list, exclude);
    }
}
