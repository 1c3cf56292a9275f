//! A wrong way: the version is an atomic counter, beside the lock of the list.

use std::{
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

#[derive(Default)]
struct Users {
    version: AtomicI64,
    /// The events, in the order in which subscribers receive them.
    events: Mutex<Vec<(i64, &'static str)>>,
}

impl Users {
    /// `meanwhile` is what another thread does between the two steps.
    fn create(&self, name: &'static str, meanwhile: impl FnOnce()) {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        meanwhile();
        let mut events = self.events.lock().expect("no thread panics with the lock");
        events.push((version, name));
    }
}

pub fn report() -> String {
    let users = Users::default();
    users.create("Dora", || users.create("Emil", || {}));

    let mut said = String::new();
    let mut seen = 0;
    for &(version, name) in users.events.lock().expect("nobody has it").iter() {
        let what = if version > seen { "new" } else { "old, so it is ignored" };
        seen = seen.max(version);
        let _ = writeln!(said, "version {version}, {name} created: {what}");
    }
    said
}
