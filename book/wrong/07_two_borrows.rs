//! A wrong way: it removes the room while it still borrows it.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Room {
    members: BTreeSet<String>,
}

impl Room {
    fn broadcast(&self, text: &str) {
        for member in &self.members {
            println!("to {member}: {text}");
        }
    }
}

fn leave(rooms: &mut BTreeMap<String, Room>, name: &str, username: &str) {
    if let Some(room) = rooms.get_mut(name) {
        room.members.remove(username);
        if room.members.is_empty() {
            rooms.remove(name);
        }
        room.broadcast(&format!("{username} left."));
    }
}

fn main() {
    leave(&mut BTreeMap::new(), "rust", "ana");
}
