//! How fast one person may speak.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use tokio::time::Instant;

use crate::protocol::Username;

/// How many times we refuse before we close. Each message that keeps to the limit makes
/// up for one.
const REFUSALS: u32 = 100;

type Buckets =
    RateLimiter<Username, HashMapStateStore<Username>, TokioClock, NoOpMiddleware<Nanos>>;

/// Counts what each person sends, over however many connections: else one could
/// reconnect, and begin anew. This is only a handle: all clones count together.
#[derive(Clone)]
pub struct Paces {
    buckets: Arc<Buckets>,
}

/// Counts what comes over one connection of a person.
pub struct Pace {
    buckets: Arc<Buckets>,
    username: Username,
    refusals: u32,
}

/// Why a message is not taken.
pub enum TooFast {
    /// It is time for the next one after this wait.
    Wait(Duration),
    /// The client does not stop, whatever we tell it.
    Enough,
}

impl Paces {
    /// Allows so many messages a second for as long as one likes, and so many at once
    /// after a pause. 0 counts as 1.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let at_least_one = |limit| NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let clock = TokioClock { start: Instant::now() };
        let buckets = RateLimiter::new(quota, HashMapStateStore::default(), clock);
        Self { buckets: Arc::new(buckets) }
    }

    /// The pace of one more connection.
    pub fn of(&self, username: &Username) -> Pace {
        self.buckets.retain_recent(); // Nobody stays on the list for ever.
        let buckets = self.buckets.clone();
        Pace { buckets, username: username.clone(), refusals: 0 }
    }
}

impl Pace {
    /// Counts one message.
    pub fn check(&mut self) -> Result<(), TooFast> {
        match self.buckets.check_key(&self.username) {
            Ok(()) => {
                self.refusals = self.refusals.saturating_sub(1);
                Ok(())
            }
            Err(_) if self.refusals == REFUSALS => Err(TooFast::Enough),
            Err(until) => {
                self.refusals += 1;
                Err(TooFast::Wait(until.wait_time_from(self.buckets.clock().now())))
            }
        }
    }
}

/// Tokio's clock, which the tests can move.
#[derive(Clone, Copy)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.start.elapsed().into()
    }
}
