//! How many WebSockets there may be: in all, and for each person.

use std::sync::Arc;

use axum::http::{HeaderName, StatusCode, header};
use lesson_08_auth::Username;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::Config,
    keyed_limit::{KeyedLimit, KeyedPermit},
};

/// For each connection that a person may have, so many more may wait for their Close.
pub const SURPLUS_FACTOR: usize = 2;

const FULL: &str = "There are too many connections. Try again in 10 s.";
const TOO_MANY: &str = "Too many connections of yours. Try again in 10 s.";

/// What a client gets in place of an upgrade: a status, headers and a sentence.
pub type Rejection = (StatusCode, [(HeaderName, &'static str); 2], &'static str);

/// Permits for connections. All clones share them.
#[derive(Clone)]
pub struct ConnectionLimits {
    total: Arc<Semaphore>,
    per_user: KeyedLimit<Username>,
    surplus: KeyedLimit<Username>,
}

/// Lets one connection exist. Whoever drops it gives it back.
pub struct ConnectionPermit {
    /// Whether the person has too many: there is time for a Close, and for nothing else.
    pub is_surplus: bool,
    _own: KeyedPermit<Username>,
    _total: OwnedSemaphorePermit,
}

impl ConnectionLimits {
    pub fn new(config: &Config) -> Self {
        let (all, own) = (config.max_connections, config.max_connections_per_user);
        Self {
            total: Arc::new(Semaphore::new(all)),
            // Each person in here has a permit of all, so there cannot be more of them.
            per_user: KeyedLimit::new(own, all),
            surplus: KeyedLimit::new(SURPLUS_FACTOR * own, all),
        }
    }

    /// A permit for this person: for a connection, or for being told that it is too many.
    /// There are not many of those, either, because each of them counts in the total.
    pub fn acquire(&self, username: &Username) -> Result<ConnectionPermit, Rejection> {
        let total = self.total.clone().try_acquire_owned();
        let _total = total.map_err(|_| reject(StatusCode::SERVICE_UNAVAILABLE, FULL))?;
        if let Ok(_own) = self.per_user.try_acquire(username.clone()) {
            return Ok(ConnectionPermit { is_surplus: false, _own, _total });
        }
        let own = self.surplus.try_acquire(username.clone());
        let _own = own.map_err(|_| reject(StatusCode::TOO_MANY_REQUESTS, TOO_MANY))?;
        Ok(ConnectionPermit { is_surplus: true, _own, _total })
    }
}

/// Without `close`, the TCP connection would stay open, and keep its descriptor.
fn reject(status: StatusCode, sentence: &'static str) -> Rejection {
    (status, [(header::RETRY_AFTER, "10"), (header::CONNECTION, "close")], sentence)
}
