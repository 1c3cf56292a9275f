//! How many WebSockets there may be: in all, and for each person.

use std::sync::Arc;

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use lesson_08_auth::Username;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::Config,
    keyed_limit::{KeyedLimit, KeyedPermit},
};

/// For each connection that a person may have, so many more may wait for their Close.
const SURPLUS_FACTOR: usize = 2;

/// When a client may try again that got no permit, in seconds.
const RETRY_SECONDS: u64 = 10;

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

/// Why a connection gets no permit. As a response it says when to try again.
pub enum TooManyConnections {
    OfAll,
    OfYours,
}

impl ConnectionLimits {
    pub fn new(config: &Config) -> Self {
        let (all, own) = (config.max_connections, config.max_connections_per_user);
        Self {
            total: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            // Each person in here has a permit of all, so there cannot be more of them.
            per_user: KeyedLimit::new(own, all),
            surplus: KeyedLimit::new(own.saturating_mul(SURPLUS_FACTOR), all),
        }
    }

    /// A permit for this person: for a connection, or for being told that it is too many.
    ///
    /// There are not many of those, either, because each of them counts in the total.
    pub fn acquire(
        &self,
        username: &Username,
    ) -> Result<ConnectionPermit, TooManyConnections> {
        let total = self.total.clone().try_acquire_owned();
        let total = total.map_err(|_| TooManyConnections::OfAll)?;

        let (own, is_surplus) = match self.per_user.try_acquire(username.clone()) {
            Ok(permit) => (permit, false),
            Err(_) => match self.surplus.try_acquire(username.clone()) {
                Ok(permit) => (permit, true),
                Err(_) => return Err(TooManyConnections::OfYours),
            },
        };
        Ok(ConnectionPermit { is_surplus, _own: own, _total: total })
    }
}

impl IntoResponse for TooManyConnections {
    fn into_response(self) -> Response {
        let (status, what) = match self {
            Self::OfAll => {
                (StatusCode::SERVICE_UNAVAILABLE, "There are too many connections")
            }
            Self::OfYours => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many connections of yours")
            }
        };
        let header = [(RETRY_AFTER, RETRY_SECONDS.to_string())];
        let sentence = format!("{what}. Try again in {RETRY_SECONDS} s.");
        (status, header, sentence).into_response()
    }
}
