//! How many WebSockets there may be: in all, and for each person.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config::Config, error::ApiError, names::Username};

/// For each connection that a person may have, so many more may wait for their Close.
const SURPLUS_FACTOR: usize = 2;

/// When a client may try again that found the server full.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Permits for connections. All clones share them.
#[derive(Clone)]
pub struct ConnectionLimits {
    total: Arc<Semaphore>,
    per_user: Arc<Mutex<HashMap<Username, Counts>>>,
    max_per_user: usize,
}

/// How many connections a person has.
#[derive(Default)]
struct Counts {
    allowed: usize,
    surplus: usize,
}

/// Lets one connection exist. It is given back when the last clone is dropped.
#[derive(Clone)]
pub struct ConnectionPermit(Arc<Permit>);

/// The permit of another connection, for as long as that one has it.
#[derive(Clone)]
pub struct OtherPermit(Weak<Permit>);

struct Permit {
    _total: OwnedSemaphorePermit,
    limits: ConnectionLimits,
    username: Username,
    /// Changed, and read where it counts, under the lock of the counts.
    is_surplus: AtomicBool,
}

impl ConnectionLimits {
    pub fn new(config: &Config) -> Self {
        Self {
            total: Arc::new(Semaphore::new(config.max_connections.get())),
            per_user: Arc::default(),
            max_per_user: config.max_connections_per_user.get(),
        }
    }

    /// A permit for this person: for a connection, or to be told that it is one too many.
    ///
    /// There are not many of those, either, because each of them counts in the total.
    pub fn acquire(&self, username: &Username) -> Result<ConnectionPermit, ApiError> {
        let total = self.total.clone().try_acquire_owned();
        let full =
            |_| ApiError::unavailable("There are too many connections", RETRY_AFTER);
        let total = total.map_err(full)?;

        let mut per_user = self.lock();
        let counts = per_user.entry(username.clone()).or_default();
        let is_surplus = counts.allowed >= self.max_per_user;
        if counts.allowed + counts.surplus >= (1 + SURPLUS_FACTOR) * self.max_per_user {
            return Err(ApiError::too_many("Too many connections of yours", RETRY_AFTER));
        }
        *counts.of_kind(is_surplus) += 1;

        let (limits, username) = (self.clone(), username.clone());
        let is_surplus = is_surplus.into();
        let permit = Permit { _total: total, limits, username, is_surplus };
        Ok(ConnectionPermit(Arc::new(permit)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Username, Counts>> {
        self.per_user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPermit {
    /// Whether this is one too many: there is time for a Close, and for nothing else.
    pub fn is_surplus(&self) -> bool {
        self.0.is_surplus.load(Relaxed)
    }

    /// Counts this connection as one too many from now on: it is being closed, and until the
    /// client has answered, it must not keep out the next one.
    pub fn give_up(&self) {
        let mut per_user = self.0.limits.lock();
        if self.0.is_surplus.swap(true, Relaxed) {
            return;
        }
        if let Some(counts) = per_user.get_mut(&self.0.username) {
            counts.allowed -= 1;
            counts.surplus += 1;
        }
    }

    /// What somebody may keep who does not keep the connection.
    pub fn downgrade(&self) -> OtherPermit {
        OtherPermit(Arc::downgrade(&self.0))
    }

    /// Takes over from a connection that this one replaces. If this one is too many, from now
    /// on the old one is.
    pub fn replace(&self, OtherPermit(old): &OtherPermit) {
        let Some(old) = old.upgrade() else { return }; // It is gone.
        let _counts = self.0.limits.lock();
        if self.is_surplus() && !old.is_surplus.load(Relaxed) {
            old.is_surplus.store(true, Relaxed);
            self.0.is_surplus.store(false, Relaxed);
        }
    }
}

impl Counts {
    fn of_kind(&mut self, is_surplus: bool) -> &mut usize {
        if is_surplus { &mut self.surplus } else { &mut self.allowed }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut per_user = self.limits.lock();
        if let Some(counts) = per_user.get_mut(&self.username) {
            *counts.of_kind(self.is_surplus.load(Relaxed)) -= 1;
            if counts.allowed + counts.surplus == 0 {
                per_user.remove(&self.username);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Username {
        Username::try_from(name.to_owned()).expect("a good name")
    }

    fn limits(
        max_connections: usize,
        max_connections_per_user: usize,
    ) -> ConnectionLimits {
        let number = |number: usize| number.try_into().expect("at least one");
        ConnectionLimits::new(&Config {
            max_connections: number(max_connections),
            max_connections_per_user: number(max_connections_per_user),
            ..Config::default()
        })
    }

    /// As many permits as one person can have: those that are allowed, and the surplus.
    fn all_permits(limits: &ConnectionLimits, username: &str) -> (usize, usize) {
        let permits: Vec<_> =
            (0..1_000).map_while(|_| limits.acquire(&name(username)).ok()).collect();
        let surplus = permits.iter().filter(|permit| permit.is_surplus()).count();
        (permits.len() - surplus, surplus)
    }

    #[test]
    fn one_person_has_some_permits_and_twice_as_many_to_be_closed() {
        let limits = limits(100, 5);

        assert_eq!(all_permits(&limits, "ana"), (5, 10), "of a hundred");
    }

    #[test]
    fn when_all_permits_are_taken_nobody_gets_one_of_any_kind() {
        let limits = limits(3, 2);

        let ana = [limits.acquire(&name("ana")), limits.acquire(&name("ana"))];
        let surplus = limits.acquire(&name("ana")).map(|permit| permit.is_surplus());

        assert!(ana.iter().all(Result::is_ok), "two for Ana");
        assert_eq!(surplus.ok(), Some(true), "and one to be closed, which is returned");
        let _ben = limits.acquire(&name("ben")).expect("so that Ben has the last one");
        for person in ["ana", "ben", "cem"] {
            assert!(
                limits.acquire(&name(person)).is_err(),
                "nothing is left for {person}"
            );
        }
    }

    #[test]
    fn a_permit_that_replaces_another_makes_that_one_the_surplus() {
        let limits = limits(100, 2);
        let acquire = || limits.acquire(&name("ana")).expect("there is room");
        let (old, other, new) = (acquire(), acquire(), acquire());
        assert!(new.is_surplus(), "she has two already");

        new.replace(&old.downgrade());

        let surplus = [&old, &other, &new].map(ConnectionPermit::is_surplus);
        assert_eq!(surplus, [true, false, false], "she still has two");
        drop(old);
        let next = acquire();
        assert!(next.is_surplus(), "and the old one has left no room for a third");
        new.replace(&next.downgrade());
        assert!(!new.is_surplus(), "who is no surplus takes nothing");
        drop((other, new, next));
        assert!(limits.lock().is_empty(), "and in the end nothing is left");
    }

    #[test]
    fn a_permit_that_is_given_up_leaves_room_for_another_but_not_without_end() {
        let limits = limits(100, 2);
        let mut closing = Vec::new();

        while let Ok(permit) = limits.acquire(&name("ana")) {
            assert!(
                !permit.is_surplus(),
                "those before it do not count: {}",
                closing.len()
            );
            permit.give_up();
            permit.give_up(); // Once is enough.
            closing.push(permit);
        }

        assert_eq!(closing.len(), 6, "two, and twice as many that wait for their Close");
        drop(closing);
        assert!(limits.lock().is_empty(), "and in the end nothing is left");
    }

    #[test]
    fn nothing_is_left_when_everybody_has_left() {
        let limits = limits(100, 5);

        for _ in 0..3 {
            for person in ["ana", "ben", "cem"] {
                assert_eq!(all_permits(&limits, person), (5, 10), "as at the beginning");
            }
        }

        assert!(limits.lock().is_empty(), "people are left: {}", limits.lock().len());
        assert_eq!(limits.total.available_permits(), 100, "all permits are returned");
    }

    #[test]
    fn who_is_refused_leaves_nothing_behind() {
        let limits = limits(1, 1);
        let ana = limits.acquire(&name("ana"));

        assert!(limits.acquire(&name("ben")).is_err(), "the only permit is taken");

        assert_eq!(limits.lock().len(), 1, "only Ana is known");
        drop(ana);
        assert!(limits.lock().is_empty(), "and then nobody is");
    }
}
