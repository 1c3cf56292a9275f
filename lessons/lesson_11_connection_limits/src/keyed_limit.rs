//! A limit for each of many: how many connections a person has, how many members a room.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Permits for each key, such as a person or a room. All clones share them.
#[derive(Clone)]
pub struct KeyedLimit<K> {
    /// How many permits are taken for each key. A key without any is not in here.
    counts: Arc<Mutex<HashMap<K, usize>>>,
    max_per_key: usize,
    max_keys: usize,
}

/// Counts for its key, for as long as it lives.
pub struct KeyedPermit<K: Eq + Hash> {
    limit: KeyedLimit<K>,
    key: K,
}

/// Which limit is reached.
pub enum LimitReached {
    PerKey,
    Keys,
}

impl<K: Clone + Eq + Hash> KeyedLimit<K> {
    /// So many permits for each key, and so many keys with a permit.
    pub fn new(max_per_key: usize, max_keys: usize) -> Self {
        Self { counts: Arc::default(), max_per_key, max_keys }
    }

    /// A permit for this key. It never waits for one.
    pub fn try_acquire(&self, key: K) -> Result<KeyedPermit<K>, LimitReached> {
        // Why one lock for looking and counting? In between, others could do the same.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = counts.len();
        match counts.entry(key.clone()) {
            Entry::Occupied(count) if *count.get() >= self.max_per_key => {
                return Err(LimitReached::PerKey);
            }
            Entry::Vacant(_) if keys >= self.max_keys => return Err(LimitReached::Keys),
            entry => *entry.or_default() += 1,
        }
        Ok(KeyedPermit { limit: self.clone(), key })
    }
}

impl<K: Eq + Hash> Drop for KeyedPermit<K> {
    fn drop(&mut self) {
        let mut counts = self.limit.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key); // Or everybody who ever came would stay.
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(limit: &KeyedLimit<&'static str>) -> Vec<(&'static str, usize)> {
        let counts = limit.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(key, count)| (*key, *count)).collect()
    }

    /// As many permits as this key can have at once, up to 1,000.
    fn all_of(limit: &KeyedLimit<&'static str>, key: &'static str) -> usize {
        let permits: Vec<_> =
            (0..1_000).map_while(|_| limit.try_acquire(key).ok()).collect();
        permits.len()
    }

    #[test]
    fn each_key_has_its_own_permits() {
        let limit = KeyedLimit::new(5, 100);

        let _ana = [limit.try_acquire("ana"), limit.try_acquire("ana")];

        assert_eq!(all_of(&limit, "ana"), 3, "Ana has two already");
        assert_eq!(all_of(&limit, "ben"), 5, "which is nothing to Ben");
    }

    #[test]
    fn there_are_only_so_many_keys_and_those_that_are_there_go_on() {
        let limit = KeyedLimit::new(2, 2);
        let tea = limit.try_acquire("tea");
        let _rust = limit.try_acquire("rust");

        let third = limit.try_acquire("figs").err();

        assert!(matches!(third, Some(LimitReached::Keys)), "figs would be the third");
        assert_eq!(all_of(&limit, "rust"), 1, "rust is there, and has one left");
        drop(tea);
        assert_eq!(all_of(&limit, "figs"), 2, "figs has the place of tea");
    }

    #[test]
    fn a_key_without_permits_is_forgotten() {
        let limit = KeyedLimit::new(5, 100);

        for key in ["ana", "ben", "cem"] {
            assert_eq!(all_of(&limit, key), 5, "as at the beginning");
        }
        let ana = limit.try_acquire("ana");
        let ben = limit.try_acquire("ben");
        drop(ana);

        assert_eq!(counts(&limit), [("ben", 1)], "only Ben has a permit");
        drop(ben);
        assert!(counts(&limit).is_empty(), "and now nobody is left");
    }

    #[test]
    fn a_refusal_leaves_nothing_behind() {
        let limit = KeyedLimit::new(1, 1);
        let ana = limit.try_acquire("ana");

        let second = limit.try_acquire("ana").err();
        let other = limit.try_acquire("ben").err();

        assert!(matches!(second, Some(LimitReached::PerKey)), "Ana has one");
        assert!(matches!(other, Some(LimitReached::Keys)), "and hers is the only key");
        drop(ana);
        assert!(counts(&limit).is_empty(), "nobody has a permit, refused or not");
        assert_eq!(all_of(&limit, "ben"), 1, "so Ben gets one");
    }

    #[test]
    fn many_threads_at_once_do_not_get_more_than_there_are() {
        let limit = KeyedLimit::new(5, 1);
        let start = std::sync::Barrier::new(8);
        let acquire = || {
            start.wait();
            limit.try_acquire("ana").ok()
        };

        for round in 1..=500 {
            let permits: Vec<_> = std::thread::scope(|scope| {
                let threads = [(); 8].map(|()| scope.spawn(acquire));
                threads.map(|thread| thread.join().expect("it does not panic")).into()
            });

            let granted = permits.iter().flatten().count();
            assert_eq!(granted, 5, "of eight that ask at once, in round {round}");
            drop(permits);
            assert!(counts(&limit).is_empty(), "all of them were given back");
        }
    }
}
