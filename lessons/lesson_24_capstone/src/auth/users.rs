//! The people who may sign in, and their passwords.

use std::sync::Arc;

use argon2::{
    Argon2, Block, Params,
    password_hash::phc::{Output, PasswordHash},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::names::Username;

/// A line for each user: the name, the role, and the hash of the password, never the
/// password itself. `Argon2::default().hash_password(…)` makes such a hash; a database
/// keeps it.
const USERS: &str = include_str!("users.txt");

/// The hash of a password that nobody has.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$+FL7KmQLuOQhsDVJheZoOg$\
     6cTHByUcFJQY2RupSozG+Ll8vZ05YIX9hoiL7csHvZE";

/// What somebody may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    User,
    /// May announce something to everybody.
    Operator,
}

/// The people who may sign in. All clones share the memory.
#[derive(Clone, Default)]
pub struct Users {
    /// The memory in which passwords are checked, one after the other. A check needs
    /// 19 MiB, by design: it makes guessing expensive.
    memory: Arc<Mutex<Vec<Block>>>,
}

impl Users {
    pub fn contains(&self, username: &Username) -> bool {
        entry(username).is_some()
    }

    pub fn role(&self, username: &Username) -> Role {
        entry(username).map(|(role, _)| role).unwrap_or_default()
    }

    /// Whether this is the password of this person.
    ///
    /// A wrong name takes as long as a wrong password. Otherwise a stranger could find
    /// out the names by measuring the time.
    pub async fn verify_password(&self, username: &Username, password: String) -> bool {
        let hash = entry(username).map(|(_, hash)| hash);
        let mut memory = Arc::clone(&self.memory).lock_owned().await;

        // Why `spawn_blocking`? The check computes for a while, and the async threads
        // have sockets to handle. If the client disconnects, the check goes on without us:
        // so the lock moves into it, and lasts as long.
        let check = move || {
            matches(&password, hash.unwrap_or(DUMMY_HASH), &mut memory) && hash.is_some()
        };
        spawn_blocking(check).await.unwrap_or(false)
    }
}

/// The role of a user, and the hash of the password.
fn entry(username: &Username) -> Option<(Role, &'static str)> {
    let entry =
        |line: &'static str| line.strip_prefix(username.as_str())?.strip_prefix(':');
    let (role, hash) = USERS.lines().find_map(entry)?.split_once(':')?;
    let role = if role == "operator" { Role::Operator } else { Role::User };
    Some((role, hash))
}

/// Whether `hash` is the hash of this password.
fn matches(password: &str, hash: &str, memory: &mut Vec<Block>) -> bool {
    let hash = PasswordHash::new(hash).expect("every hash here was made by argon2");
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return false };
    let params = Params::try_from(&hash).expect("and has its parameters");

    // Why not `verify_password`? It would allocate the memory anew for each check, and
    // the allocator would keep much of it.
    memory.resize(params.block_count(), Block::new());
    let mut computed = vec![0; expected.len()];
    let (argon2, password) = (Argon2::from(params), password.as_bytes());
    let done =
        argon2.hash_password_into_with_memory(password, &salt, &mut computed, memory);
    // `Output` compares in constant time.
    done.is_ok() && Output::new(&computed) == Ok(expected)
}
