//! The list: users in memory, and the version that they have.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use lesson_14_live_list::{Change, Deleted, Event, Events, Version};
use serde::{Deserialize, Serialize};

/// How many users the list may hold. One more is a conflict (409).
const MAX_USERS: usize = 1_000;

/// What the events call a row of this list.
const MODEL: &str = "users";

/// Why a change is not possible, and the status that says so.
pub type Rejection = (StatusCode, String);

#[derive(Clone, Serialize)]
pub struct User {
    id: i64,
    name: String,
    email: String,
    is_active: bool,
}

/// The body of a `POST`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    name: String,
    email: String,
    #[serde(default = "active")]
    is_active: bool,
}

fn active() -> bool {
    true
}

/// The body of a `PATCH`: what is not in it stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChanges {
    name: Option<String>,
    email: Option<String>,
    is_active: Option<bool>,
}

/// The list. All clones share it.
#[derive(Clone)]
pub struct Users {
    list: Arc<Mutex<List>>,
    events: Events,
}

#[derive(Default)]
struct List {
    /// The number of the last change.
    version: Version,
    last_id: i64,
    users: BTreeMap<i64, User>,
}

impl Users {
    /// An empty list, whose changes are published there.
    pub fn new(events: Events) -> Self {
        Self { list: Arc::default(), events }
    }

    /// All users, in the order of their ids, and the version of the list.
    pub fn all(&self) -> (Version, Vec<User>) {
        let list = self.lock();
        (list.version, list.users.values().cloned().collect())
    }

    pub fn create(&self, new: NewUser) -> Result<(Version, User), Rejection> {
        let mut list = self.lock();
        if list.users.len() >= MAX_USERS {
            let sentence = format!("The list is full: it has {MAX_USERS} users.");
            return Err((StatusCode::CONFLICT, sentence));
        }
        list.last_id += 1;
        let NewUser { name, email, is_active } = new;
        let user = User { id: list.last_id, name, email, is_active };
        list.users.insert(user.id, user.clone());

        let version = list.next_version();
        self.events.publish(&Event::Created(change(version, &user)));
        Ok((version, user))
    }

    pub fn update(
        &self,
        id: i64,
        changes: UserChanges,
    ) -> Result<(Version, User), Rejection> {
        let mut list = self.lock();
        let user = list.users.get_mut(&id).ok_or_else(|| not_found(id))?;
        if let Some(name) = changes.name {
            user.name = name;
        }
        if let Some(email) = changes.email {
            user.email = email;
        }
        if let Some(is_active) = changes.is_active {
            user.is_active = is_active;
        }
        let user = user.clone();

        let version = list.next_version();
        self.events.publish(&Event::Updated(change(version, &user)));
        Ok((version, user))
    }

    pub fn delete(&self, id: i64) -> Result<Version, Rejection> {
        let mut list = self.lock();
        list.users.remove(&id).ok_or_else(|| not_found(id))?;

        let version = list.next_version();
        self.events.publish(&Event::Deleted(change(version, Deleted { id })));
        Ok(version)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // If a task panics while it holds the lock, the others go on with the list.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn next_version(&mut self) -> Version {
        self.version += 1;
        self.version
    }
}

fn change<T>(version: Version, data: T) -> Change<T> {
    Change { model: MODEL, version, data }
}

fn not_found(id: i64) -> Rejection {
    (StatusCode::NOT_FOUND, format!("There is no user {id}."))
}
