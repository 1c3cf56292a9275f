//! Wrong: there is one list for the whole server.
//!
//! Refused by step_6_each_room_has_its_own_list:
//! "Ana is in the room rust, and not on this list."

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    protocol::{ServerMessage, Username},
    rooms::Room,
};

static ONLINE: Mutex<BTreeSet<Username>> = Mutex::new(BTreeSet::new());

fn online() -> MutexGuard<'static, BTreeSet<Username>> {
    ONLINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        online().insert(newcomer.clone());
        self.send_online_users();
    }

    pub fn after_leave(&mut self, gone: &Username) {
        online().remove(gone);
        self.send_online_users();
    }

    fn send_online_users(&mut self) {
        let list =
            ServerMessage::OnlineUsers { users: online().iter().collect() }.encode();
        self.broadcast(list, None);
    }
}
