//! The people who may sign in, and their passwords.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::{
    Argon2, Block, Params,
    password_hash::phc::{Output, PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::protocol::Username;

/// How many passwords are checked at the same time. Each check takes 19 MiB, by design:
/// it makes guessing expensive. The others wait for their turn.
const CONCURRENT_CHECKS: usize = 4;

/// Names, and hashes of passwords; never the passwords themselves. A database would
/// hold the same. `Argon2::default().hash_password(…)` makes such a hash.
const DEMO_USERS: [(&str, &str); 3] = [
    (
        "ana",
        "$argon2id$v=19$m=19456,t=2,p=1$ejWLJvdCiWvATbaC959+ug$\
         me5wHsg4EahwHiMv4W6ZsCTUhaCy0YB2sXOOLGcPnV8",
    ),
    (
        "ben",
        "$argon2id$v=19$m=19456,t=2,p=1$UlWHb61D/9di/EXoEiqt5A$\
         0kA8ShCEyv6t7N8Ez5dZVfmjhRm7oDmY9gY5XZQtRy8",
    ),
    (
        "cem",
        "$argon2id$v=19$m=19456,t=2,p=1$De4jj2fBO6o6Np3jrzxLbQ$\
         K34h/t3gFmIdWqWMfj6+OaVegO3eYpE7BzSnQoNBjCw",
    ),
];

/// The hash of a password that nobody has.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$+FL7KmQLuOQhsDVJheZoOg$\
     6cTHByUcFJQY2RupSozG+Ll8vZ05YIX9hoiL7csHvZE";

/// The people who may sign in. This is only a handle: all clones share the same memory.
#[derive(Clone)]
pub struct Users {
    permits: Arc<Semaphore>,
    /// The memory of the checks, which is used again and again. Each check on fresh
    /// memory would leave 19 MiB with the allocator, on another thread each time.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CONCURRENT_CHECKS)),
            memory: Arc::default(),
        }
    }
}

impl Users {
    pub fn contains(&self, username: &Username) -> bool {
        hash_of(username).is_some()
    }

    /// Whether this is the password of this person.
    ///
    /// A wrong name takes as long as a wrong password. Otherwise a stranger could find
    /// out the names by measuring the time.
    pub async fn verify_password(&self, username: &Username, password: String) -> bool {
        let hash = hash_of(username);
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.expect("nobody closes the semaphore");
        let memory = Arc::clone(&self.memory);

        // Why `spawn_blocking`? The check computes for a while, and the async threads
        // have sockets to handle.
        spawn_blocking(move || {
            // The client may hang up meanwhile, and then our caller is dropped, but this
            // check goes on. So the permit is here, and lives as long as the work.
            let _permit = permit;
            let pool = || memory.lock().unwrap_or_else(PoisonError::into_inner);
            let mut blocks = pool().pop().unwrap_or_default();

            let is_right = matches(&password, hash.unwrap_or(DUMMY_HASH), &mut blocks);
            pool().push(blocks);
            is_right && hash.is_some()
        })
        .await
        .unwrap_or(false)
    }
}

fn hash_of(username: &Username) -> Option<&'static str> {
    let (_, hash) = DEMO_USERS.iter().find(|(name, _)| *name == username.as_str())?;
    Some(hash)
}

/// Whether `hash` is the hash of this password. `blocks` is memory to compute in.
fn matches(password: &str, hash: &str, blocks: &mut Vec<Block>) -> bool {
    let expected = PasswordHash::new(hash).expect("every hash here was made by argon2");
    let (Some(salt), Some(output)) = (expected.salt, expected.hash) else { return false };
    let params = Params::try_from(&expected).expect("and has its parameters");

    blocks.resize(params.block_count(), Block::default());
    let mut computed = vec![0; output.len()];
    let done = Argon2::from(params).hash_password_into_with_memory(
        password.as_bytes(),
        &salt,
        &mut computed,
        blocks,
    );
    // `Output` compares in constant time.
    done.is_ok() && Output::new(&computed).is_ok_and(|computed| computed == output)
}
