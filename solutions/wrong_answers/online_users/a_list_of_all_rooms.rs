//! Wrong: there is one list for the whole server.
//!
//! Refused by step_6_each_room_has_its_own_list:
//! "Ana is in the room rust, and not on this list."

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    protocol::{ToClient, Username},
    rooms::Room,
};

static ONLINE: Mutex<BTreeSet<Username>> = Mutex::new(BTreeSet::new());

fn online() -> MutexGuard<'static, BTreeSet<Username>> {
    ONLINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    pub fn after_join(&mut self, newcomer: &Username) {
        online().insert(newcomer.clone());
        self.tell_who_is_online();
    }

    pub fn after_leave(&mut self, gone: &Username) {
        online().remove(gone);
        self.tell_who_is_online();
    }

    fn tell_who_is_online(&mut self) {
        let list = ToClient::OnlineUsers { users: online().iter().collect() }.encode();
        self.broadcast(list, None);
    }
}
