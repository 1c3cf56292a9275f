//! How fast one person may send messages, make changes, and read.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use tokio::time::Instant;

use crate::{config::Config, error::ApiError, names::Username};

/// How many refusals a person may get at once. After that a session is closed; over HTTP the
/// answer stays the same.
const REFUSALS: NonZeroU32 = NonZeroU32::new(100).expect("not 0");

/// How often buckets that are full again are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// What to connect costs: the join and the leave are both sent to everybody in the room.
const COST_OF_A_CONNECTION: NonZeroU32 = NonZeroU32::new(2).expect("not 0");

/// A limit for each kind of request. All clones count together.
#[derive(Clone)]
pub struct RateLimits {
    pub messages: RateLimiter,
    pub changes: RateLimiter,
    pub reads: RateLimiter,
}

impl RateLimits {
    pub fn new(config: &Config) -> Self {
        Self {
            messages: RateLimiter::new(config.messages_per_second, config.message_burst),
            changes: RateLimiter::new(config.changes_per_second, config.change_burst),
            reads: RateLimiter::new(config.reads_per_second, config.read_burst),
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
    /// How long until a bucket has one token more.
    interval: Duration,
    /// A token bucket for each person. One that is not in here is full.
    ///
    /// It does not grow without end: only people who have signed in get here.
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
            interval: Duration::from_secs(1) / per_second.get(),
            requests: buckets(burst),
            refusals: buckets(REFUSALS),
            last_cleanup: Mutex::new(clock.start),
        }))
    }

    /// Counts one request.
    pub fn check(&self, username: &Username) -> Result<(), RateLimited> {
        self.check_n(username, NonZeroU32::MIN)
    }

    /// Counts one request of somebody who can wait: it is no refusal if it comes too fast.
    /// The error is how long to wait before the next try.
    ///
    /// That is longer than it must be, so that now and then there is enough for a connection.
    /// Otherwise what is left of an old one would keep out the new one of the same person.
    pub fn check_or_delay(&self, username: &Username) -> Result<(), Duration> {
        let Shared { requests, interval, .. } = &*self.0;
        self.clean_up();

        let allowed = requests.check_key(username);
        allowed.map_err(|until| {
            let wait = until.wait_time_from(requests.clock().now());
            wait + *interval * COST_OF_A_CONNECTION.get()
        })
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
        let wait = until.wait_time_from(requests.clock().now());
        match refusals.check_key(username) {
            Ok(()) => Err(RateLimited::Wait(wait)),
            Err(_) => Err(RateLimited::TooManyRefusals(wait)),
        }
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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn name(name: impl Into<String>) -> Username {
        Username::try_from(name.into()).expect("a good name")
    }

    fn limiter(per_second: u32, burst: u32) -> RateLimiter {
        let number = |number| NonZeroU32::new(number).expect("at least one");
        RateLimiter::new(number(per_second), number(burst))
    }

    /// How many of so many requests are allowed.
    fn allowed(limiter: &RateLimiter, username: &str, of: usize) -> usize {
        (0..of).filter(|_| limiter.check(&name(username)).is_ok()).count()
    }

    /// How many buckets there are, of both kinds.
    fn buckets(limiter: &RateLimiter) -> (usize, usize) {
        (limiter.0.requests.len(), limiter.0.refusals.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_allowed_and_then_the_rate_to_the_millisecond() {
        let limiter = limiter(10, 20);

        assert_eq!(allowed(&limiter, "ana", 50), 20, "at once");
        advance(Duration::from_millis(99)).await;
        assert_eq!(allowed(&limiter, "ana", 50), 0, "a millisecond too early");
        advance(Duration::from_millis(1)).await;
        assert_eq!(allowed(&limiter, "ana", 50), 1, "one for each tenth of a second");
        advance(3600 * SECOND).await;
        assert_eq!(
            allowed(&limiter, "ana", 50),
            20,
            "after an hour a burst, and no more"
        );
    }

    /// Finding A8: whatever the reason for a refusal, it refuses.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_allowed_after_any_number_of_refusals() {
        let limiter = limiter(10, 20);
        assert_eq!(allowed(&limiter, "ana", 10_000), 20, "of ten thousand at once");

        let wait = SECOND / 10;
        let refused = limiter.check(&name("ana"));
        assert_eq!(refused, Err(RateLimited::TooManyRefusals(wait)), "it says when");
        let refused = limiter.check_connection(&name("ana"));
        assert_eq!(refused, Err(RateLimited::TooManyRefusals(2 * wait)), "for both");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_request_does_not_postpone_the_next_one() {
        let limiter = limiter(1, 2);
        allowed(&limiter, "ana", 2);

        for _ in 0..9 {
            advance(SECOND / 10).await;
            assert_eq!(allowed(&limiter, "ana", 1), 0, "it is too early");
        }
        advance(SECOND / 10).await;

        assert_eq!(allowed(&limiter, "ana", 1), 1, "after the second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_counts_as_two() {
        let limiter = limiter(10, 20);

        let connections =
            (0..50).filter(|_| limiter.check_connection(&name("ana")).is_ok()).count();

        assert_eq!(connections, 10, "half as many as messages");
        advance(SECOND / 10).await;
        let refused = limiter.check_connection(&name("ana"));
        assert_eq!(refused, Err(RateLimited::Wait(SECOND / 10)), "there is room for one");
        assert_eq!(limiter.check(&name("ana")), Ok(()), "which a message takes");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_keeps_to_the_rate_and_leaves_room_for_a_connection() {
        let limiter = limiter(10, 20);
        let (mut allowed, mut connections) = (0, 0);
        let mut next = Instant::now();

        for millisecond in 0..10_000 {
            advance(Duration::from_millis(1)).await;
            while next <= Instant::now() {
                match limiter.check_or_delay(&name("ana")) {
                    Ok(()) => allowed += 1,
                    Err(wait) => next += wait,
                }
            }
            if millisecond % 1_000 == 290
                && limiter.check_connection(&name("ana")).is_ok()
            {
                connections += 1;
            }
        }

        let counted = allowed + 2 * connections;
        assert!((117..=120).contains(&counted), "20, and then 10 a second: {counted}");
        assert!(connections > 2, "{connections} connections got in, of 10 tries");
        let refusals = limiter.0.refusals.len();
        assert_eq!(refusals, 1, "only a connection is refused");
    }

    #[tokio::test(start_paused = true)]
    async fn all_clones_count_together_and_all_people_apart() {
        let limiter = limiter(10, 20);

        let all: usize = (0..10).map(|_| allowed(&limiter.clone(), "ana", 3)).sum();

        assert_eq!(all, 20, "one person, however many connections");
        assert_eq!(allowed(&limiter, "ben", 50), 20, "Ben has his own");
    }

    /// Finding A8: it looked at all people for every request.
    #[tokio::test(start_paused = true)]
    async fn full_buckets_are_removed_at_most_once_a_minute() {
        let limiter = limiter(10, 20);
        for number in 0..1_000 {
            allowed(&limiter, &format!("user{number}"), 21); // The last one is refused.
        }
        assert_eq!(buckets(&limiter), (1_000, 1_000), "two for each person");

        advance(59 * SECOND).await;
        allowed(&limiter, "ana", 1);
        assert_eq!(buckets(&limiter), (1_001, 1_000), "they are full, but it is early");
        advance(SECOND).await;
        allowed(&limiter, "ben", 1);
        assert_eq!(buckets(&limiter), (1, 0), "after a minute only Ben's is left");

        allowed(&limiter, "cem", 1);
        advance(59 * SECOND).await;
        allowed(&limiter, "ana", 1);
        assert_eq!(buckets(&limiter), (3, 0), "and then it takes a minute again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_cleanup_forgets_nobody_whose_bucket_is_not_full() {
        let limiter = limiter(10, 20);
        advance(58_050 * SECOND / 1_000).await;
        assert_eq!(allowed(&limiter, "ana", 200), 20, "and more refusals than she has");

        advance(1_950 * SECOND / 1_000).await; // Her bucket lacks half a message.
        allowed(&limiter, "ben", 1);

        assert_eq!(buckets(&limiter), (2, 1), "the cleanup has left hers");
        assert_eq!(allowed(&limiter, "ana", 20), 19, "which is not full yet");
        let refusals = (0..200)
            .filter(|_| matches!(limiter.check(&name("ana")), Err(RateLimited::Wait(_))));
        assert_eq!(refusals.count(), 18, "nor are her refusals forgiven");
    }
}
