//! How fast one person may send messages, make changes, and read.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    NotUntil, Quota, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use tokio::time::Instant;

use crate::{config::Config, error::ApiError, names::Username};

/// How many refusals a person may get at once. After that we close.
const REFUSALS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// How often buckets that are full again are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// What to connect costs: the join and the leave are both sent to everybody in the room.
const COST_OF_A_CONNECTION: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// A limit for each kind of request. All clones count together.
#[derive(Clone)]
pub struct RateLimits {
    pub messages: RateLimiter,
    pub changes: RateLimiter,
    pub reads: RateLimiter,
}

impl RateLimits {
    pub fn new(config: &Config) -> Self {
        let limiter = |rate, burst| RateLimiter::new(rate, burst);
        Self {
            messages: limiter(config.messages_per_second, config.message_burst),
            changes: limiter(config.changes_per_second, config.change_burst),
            reads: limiter(config.reads_per_second, config.read_burst),
        }
    }
}

type Buckets = governor::RateLimiter<
    Username,
    HashMapStateStore<Username>,
    TokioClock,
    NoOpMiddleware<Nanos>,
>;

/// Counts what each person does, over all of their connections: otherwise one could
/// reconnect, and begin anew. All clones count together.
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    /// A token bucket for each person. One that is not in here is full.
    requests: Buckets,
    /// The same for refusals, so that a flooder cannot reconnect and begin anew either.
    refusals: Buckets,
    last_cleanup: Mutex<Instant>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq)]
pub enum RateLimited {
    /// It is allowed after this time.
    Wait(Duration),
    /// The person goes on, whatever we answer.
    TooManyRefusals(Duration),
}

impl From<RateLimited> for ApiError {
    fn from(limited: RateLimited) -> Self {
        let (RateLimited::Wait(wait) | RateLimited::TooManyRefusals(wait)) = limited;
        Self::too_many("Too many requests", wait)
    }
}

impl RateLimiter {
    /// Allows `per_second` requests for as long as one likes, and `burst` at once after a
    /// pause.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let buckets = |burst| {
            let quota = Quota::per_second(per_second).allow_burst(burst);
            Buckets::new(quota, HashMapStateStore::default(), clock)
        };
        Self(Arc::new(Shared {
            requests: buckets(burst),
            refusals: buckets(REFUSALS),
            last_cleanup: Mutex::new(clock.start),
        }))
    }

    /// Counts one request.
    pub fn check(&self, username: &Username) -> Result<(), RateLimited> {
        self.check_n(username, NonZeroU32::MIN)
    }

    /// Counts a connection, which costs as much as two messages.
    pub fn check_connection(&self, username: &Username) -> Result<(), RateLimited> {
        self.check_n(username, COST_OF_A_CONNECTION)
    }

    fn check_n(&self, username: &Username, n: NonZeroU32) -> Result<(), RateLimited> {
        let Shared { requests, refusals, .. } = &*self.0;
        self.clean_up();

        let checked = requests.check_key_n(username, n);
        let allowed = checked.expect("the configuration allows a burst of two");
        let Err(until) = allowed else { return Ok(()) };
        let wait = self.wait(&until);
        match refusals.check_key(username) {
            Ok(()) => Err(RateLimited::Wait(wait)),
            Err(_) => Err(RateLimited::TooManyRefusals(wait)),
        }
    }

    fn wait(&self, until: &NotUntil<Nanos>) -> Duration {
        until.wait_time_from(self.0.requests.clock().now())
    }

    /// Removes full buckets, at most once a minute, because it looks at all of them.
    fn clean_up(&self) {
        let mut last = self.0.last_cleanup.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= CLEANUP_INTERVAL {
            *last = Instant::now();
            self.0.requests.retain_recent();
            self.0.refusals.retain_recent();
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
