//! The people who may sign in, and their passwords.

use std::{collections::HashMap, sync::Arc};

use argon2::{
    Argon2, Block, Params,
    password_hash::phc::{Output, PasswordHash, Salt},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{error::ApiError, names::Username};

/// A line for each user: the name, the role, and the hash of the password, never the
/// password itself. `Argon2::default().hash_password(…)` makes such a hash; a database
/// keeps it.
const USERS: &str = include_str!("users.txt");

/// The hash of a password that nobody has.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$+FL7KmQLuOQhsDVJheZoOg$\
     6cTHByUcFJQY2RupSozG+Ll8vZ05YIX9hoiL7csHvZE";

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    /// May announce something to everybody, and change every row.
    Operator,
}

/// The people who may sign in. All clones share them, and the memory.
#[derive(Clone)]
pub struct Users {
    entries: Arc<HashMap<Username, Entry>>,
    /// The memory in which passwords are checked, one after the other. A check needs
    /// 19 MiB, by design: it makes guessing expensive.
    memory: Arc<Mutex<Vec<Block>>>,
}

#[derive(Clone, Copy)]
struct Entry {
    role: Role,
    hash: &'static str,
}

impl Users {
    /// The error is a sentence that names the line which is wrong.
    pub fn new() -> Result<Self, String> {
        Self::parse(USERS)
    }

    fn parse(text: &'static str) -> Result<Self, String> {
        let lines = text.lines().zip(1..).map(|(line, number)| {
            let wrong = || {
                format!(
                    "users.txt, line {number}: it should be name:role:hash, with a name in \
                     small letters, the role user or operator, and a hash of argon2."
                )
            };
            entry(line).ok_or_else(wrong)
        });
        let entries = Arc::new(lines.collect::<Result<_, _>>()?);
        Ok(Self { entries, memory: Arc::default() })
    }

    /// Adds somebody who has no password, and so cannot sign in.
    #[cfg(test)]
    pub fn add(&mut self, username: Username) {
        let entry = Entry { role: Role::User, hash: DUMMY_HASH };
        Arc::make_mut(&mut self.entries).insert(username, entry);
    }

    /// The role of a user. `None` if there is no such user.
    pub fn role(&self, username: &Username) -> Option<Role> {
        self.entries.get(username).map(|entry| entry.role)
    }

    /// The role of this person, if this is their password.
    ///
    /// A wrong name takes as long as a wrong password. Otherwise a stranger could find
    /// out the names by measuring the time.
    pub async fn verify_password(
        &self,
        username: &Username,
        password: String,
    ) -> Result<Option<Role>, ApiError> {
        let entry = self.entries.get(username).copied();
        let hash = entry.map_or(DUMMY_HASH, |entry| entry.hash);
        let mut memory = Arc::clone(&self.memory).lock_owned().await;

        // Why `spawn_blocking`? The check computes for a while, and the async threads
        // have sockets to handle. If the client disconnects, the check goes on without us:
        // so the lock moves into it, and lasts as long.
        let check = move || matches(&password, hash, &mut memory);
        let is_right = spawn_blocking(check).await;
        let is_right = is_right.map_err(|panic| ApiError::internal(&panic))?;
        Ok(entry.filter(|_| is_right).map(|entry| entry.role))
    }
}

fn entry(line: &'static str) -> Option<(Username, Entry)> {
    let (name, rest) = line.split_once(':')?;
    let (role, hash) = rest.split_once(':')?;
    let is_lower = name == name.to_lowercase(); // As a login makes it.
    let username = Username::try_from(name.to_owned()).ok().filter(|_| is_lower)?;
    let role = match role {
        "user" => Role::User,
        "operator" => Role::Operator,
        _ => return None,
    };
    parts(hash).map(|_| (username, Entry { role, hash }))
}

/// The salt, the parameters and the output of a hash.
fn parts(hash: &str) -> Option<(Salt, Params, Output)> {
    let hash = PasswordHash::new(hash).ok()?;
    Some((hash.salt?, Params::try_from(&hash).ok()?, hash.hash?))
}

/// Whether `hash` is the hash of this password.
fn matches(password: &str, hash: &str, memory: &mut Vec<Block>) -> bool {
    let Some((salt, params, expected)) = parts(hash) else { return false };

    // Why not the library's `verify_password`? It would allocate the memory anew for each
    // check, and the allocator would keep much of it.
    memory.resize(params.block_count(), Block::new());
    let mut computed = vec![0; expected.len()];
    let (argon2, password) = (Argon2::from(params), password.as_bytes());
    let done =
        argon2.hash_password_into_with_memory(password, &salt, &mut computed, memory);
    // `Output` compares in constant time.
    done.is_ok() && Output::new(&computed) == Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_wrong_gets_a_sentence_that_names_it() {
        let hash = USERS.lines().next().and_then(|line| line.rsplit(':').next());
        let hash = hash.expect("there are users");
        for line in [
            "dana",
            "dana:user",
            "dana:user:",
            "dana:user:$argon2id$v=19$m=19456,t=2,p=1$short",
            &format!("dana:Operator:{hash}"),
            &format!("Dana:user:{hash}"),
            &format!("da na:user:{hash}"),
            &format!("dana::{hash}"),
            &format!("dana:{hash}"),
        ] {
            let text = format!("ana:user:{hash}\n{line}\n").leak();
            let sentence = Users::parse(text).err().unwrap_or_default();
            let start = "users.txt, line 2: it should be name:role:hash";
            assert!(sentence.starts_with(start), "{line}: {sentence}");
        }
        assert!(Users::new().is_ok(), "ours are right");
    }
}
