//! Wrong: a list is not sent if the last one was the same, and that may have been the one of another room.
//!
//! Refused by step_9_each_room_has_its_own_list:
//! "but she has not heard it yet."

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// The list that was sent last.
#[derive(Clone, Default)]
pub struct OnlineUsers {
    last: Arc<Mutex<Utf8Bytes>>,
}

impl OnlineUsers {
    fn changes_to(&self, list: &Utf8Bytes) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, list.clone()) != *list
    }
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
        if self.online.changes_to(&list) {
            self.broadcast(list, None);
        }
    }
}
