//! The people who may sign in.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::protocol::Username;

/// How many passwords we check at a time. Each check takes 19 MiB, by design: it
/// makes guessing expensive. The others wait for their turn.
const CHECKS_AT_ONCE: usize = 4;

/// Names, and hashes of passwords; never the passwords themselves. A database would
/// hold the same. `Argon2::default().hash_password(…)` makes such a line.
const DEMO_ACCOUNTS: [(&str, &str); 3] = [
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

/// Those who may speak to everybody at once.
const OPERATORS: [&str; 1] = ["ana"];

/// The hash of a password that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$+FL7KmQLuOQhsDVJheZoOg$\
     6cTHByUcFJQY2RupSozG+Ll8vZ05YIX9hoiL7csHvZE";

/// The people who may sign in. This is only a handle: all clones share one queue.
#[derive(Clone)]
pub struct Accounts {
    checks: Arc<Semaphore>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { checks: Arc::new(Semaphore::new(CHECKS_AT_ONCE)) }
    }
}

impl Accounts {
    pub fn contains(&self, username: &Username) -> bool {
        hash_of(username.as_str()).is_some()
    }

    pub fn is_operator(&self, username: &Username) -> bool {
        OPERATORS.contains(&username.as_str())
    }

    /// Whether this is the password of this person.
    ///
    /// A wrong name takes as long as a wrong password. Otherwise a stranger could find
    /// out the names with a watch.
    pub async fn password_fits(&self, username: &str, password: String) -> bool {
        let hash = hash_of(username);
        let _turn = self.checks.acquire().await.expect("nobody closes the semaphore");

        // Why `spawn_blocking`? The check computes for a while, and the async threads
        // have sockets to look after.
        spawn_blocking(move || {
            let expected = PasswordHash::new(hash.unwrap_or(NOBODY))
                .expect("every hash here was made by argon2");
            let fits = Argon2::default().verify_password(password.as_bytes(), &expected);
            fits.is_ok() && hash.is_some()
        })
        .await
        .unwrap_or(false)
    }
}

fn hash_of(username: &str) -> Option<&'static str> {
    let (_, hash) = DEMO_ACCOUNTS.iter().find(|(name, _)| *name == username)?;
    Some(hash)
}
