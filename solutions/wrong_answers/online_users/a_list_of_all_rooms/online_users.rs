//! Wrong: there is one list for the whole server.
//!
//! Refused by step_9_each_room_has_its_own_list:
//! "Ana is in the room rust, and not on this list."

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

/// Everybody on the server. All clones share the list.
#[derive(Clone, Default)]
pub struct OnlineUsers {
    names: Arc<Mutex<BTreeSet<Username>>>,
}

impl OnlineUsers {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Username>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        self.online.lock().insert(newcomer.clone());
        self.send_online_users();
    }

    pub fn after_leave(&mut self, gone: &Username) {
        self.online.lock().remove(gone);
        self.send_online_users();
    }

    fn send_online_users(&mut self) {
        let users = self.online.lock();
        let list = ServerMessage::OnlineUsers { users: users.iter().collect() }.encode();
        drop(users);

        self.broadcast(list, None);
    }
}
