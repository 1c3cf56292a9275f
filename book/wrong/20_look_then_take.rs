//! A wrong way: a node looks whether a name is free, and takes it then.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{join, task::yield_now};

/// What all nodes can reach over the network. While an answer travels, others go on.
#[derive(Default)]
struct Store {
    names: Mutex<HashMap<&'static str, &'static str>>,
}

impl Store {
    async fn get(&self, name: &str) -> Option<&'static str> {
        let node = self.lock().get(name).copied();
        yield_now().await;
        node
    }

    async fn put(&self, name: &'static str, node: &'static str) {
        yield_now().await;
        self.lock().insert(name, node);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, &'static str>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn join_room(store: &Store, node: &'static str) -> &'static str {
    if store.get("ana").await.is_some() {
        return "this name is taken";
    }
    store.put("ana", node).await;
    "welcome"
}

pub async fn report() -> String {
    let store = Store::default();
    let answers = join!(join_room(&store, "node 1"), join_room(&store, "node 2"));

    let mut said = String::new();
    let _ = writeln!(said, "node 1 says to Ana's first window: {}", answers.0);
    let _ = writeln!(said, "node 2 says to her second window: {}", answers.1);
    let _ = writeln!(said, "the store says: Ana is on {}", store.lock()["ana"]);
    said
}
