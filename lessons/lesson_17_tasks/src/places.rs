//! Who is connected, counted: in all, and for each person.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Limits, protocol::Username};

/// For each connection of a person that may stay, so many may wait to be told to go.
const GOODBYES: usize = 2;

/// The places for connections. This is only a handle: all clones share them.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<Username, Taken>>>,
    per_user: usize,
}

/// How many places a person has taken.
#[derive(Default)]
struct Taken {
    to_stay: usize,
    to_go: usize,
}

/// One of a person's places. It becomes free when this is dropped.
pub struct OwnPlace {
    places: Places,
    username: Username,
    /// If not, there is time for a goodbye, and no more.
    pub may_stay: bool,
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

    /// A place for this person: to stay, or to be told that these are too many. There
    /// are not many of those, either: each of them is a place that belongs to all.
    pub fn take_own(&self, username: &Username) -> Option<OwnPlace> {
        let mut people = self.lock();
        let taken = people.entry(username.clone()).or_default();

        let may_stay = taken.to_stay < self.per_user;
        if !may_stay && taken.to_go == GOODBYES * self.per_user {
            return None;
        }
        *taken.count(may_stay) += 1;
        Some(OwnPlace { places: self.clone(), username: username.clone(), may_stay })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Username, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn count(&mut self, to_stay: bool) -> &mut usize {
        if to_stay { &mut self.to_stay } else { &mut self.to_go }
    }
}

impl Drop for OwnPlace {
    fn drop(&mut self) {
        let mut people = self.places.lock();
        if let Some(taken) = people.get_mut(&self.username) {
            *taken.count(self.may_stay) -= 1;
            if taken.to_stay + taken.to_go == 0 {
                people.remove(&self.username); // Nobody stays on the list for ever.
            }
        }
    }
}
