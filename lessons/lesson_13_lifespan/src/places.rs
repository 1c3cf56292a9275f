//! Who is connected, counted: in all, and for each person.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Limits, protocol::Username};

/// The places for connections. This is only a handle: all clones share them.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<Username, usize>>>,
    per_user: usize,
}

/// One of a person's places. It becomes free when this is dropped.
pub struct OwnPlace {
    places: Places,
    username: Username,
}

impl Places {
    pub fn new(limits: &Limits) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limits.connections)),
            taken: Arc::default(),
            per_user: limits.connections_per_user,
        }
    }

    /// A place for anybody, if one is free. It becomes free when the permit is dropped.
    pub fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// A place for this person, if it has not got too many.
    pub fn take_own(&self, username: &Username) -> Option<OwnPlace> {
        let mut taken = self.lock();
        let count = taken.get(username).map_or(1, |count| count + 1);
        if count > self.per_user {
            return None;
        }
        taken.insert(username.clone(), count);
        Some(OwnPlace { places: self.clone(), username: username.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Username, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OwnPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(count) = taken.get_mut(&self.username) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.username); // Nobody stays on the list for ever.
            }
        }
    }
}
