//! How fast one person may send messages and connect.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use governor::{
    Quota, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::HashMapStateStore,
};
use lesson_08_auth::Username;
use tokio::time::Instant;

/// How many messages a person may send in a second, for as long as they like.
pub const MESSAGES_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

/// How many messages a person may send at once, after a pause.
pub const BURST: NonZeroU32 = NonZeroU32::new(20).expect("not 0");

/// How many refusals a person may get at once. The next one ends the connection.
const REFUSALS: NonZeroU32 = NonZeroU32::new(100).expect("not 0");

/// What a connection costs, in messages: its join and its leave are both sent to everybody
/// in the room.
const COST_OF_A_CONNECTION: NonZeroU32 = NonZeroU32::new(2).expect("not 0");

/// How often buckets that are full again are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);

/// A token bucket for each person, kept as one number (GCRA). One that is not in here is
/// full.
type Buckets = governor::RateLimiter<
    Username,
    HashMapStateStore<Username>,
    TokioClock,
    NoOpMiddleware<Nanos>,
>;

/// Counts what each person does, over all of their connections.
///
/// It is only a handle: clone it freely. All clones count together.
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    /// It does not grow without end: only people who have signed in get here.
    messages: Buckets,
    /// The same for refusals, so that a flooder cannot reconnect and begin anew.
    refusals: Buckets,
    last_cleanup: Mutex<Instant>,
}

/// Why something is refused. Both say how long to wait until it is allowed.
#[derive(Debug, PartialEq)]
pub enum RateLimited {
    Wait(Duration),
    /// The person goes on, whatever we answer.
    TooManyRefusals(Duration),
}

impl RateLimiter {
    /// Allows `per_second` messages for as long as one likes, and `burst` at once after a
    /// pause.
    ///
    /// `burst` must be 2 or more, because a connection costs as much: otherwise
    /// [`check_connection`](Self::check_connection) panics.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let buckets = |size| {
            let quota = Quota::per_second(per_second).allow_burst(size);
            Buckets::new(quota, HashMapStateStore::default(), clock)
        };
        Self(Arc::new(Shared {
            messages: buckets(burst),
            refusals: buckets(REFUSALS),
            last_cleanup: Mutex::new(clock.start),
        }))
    }

    /// Counts one message.
    pub fn check(&self, username: &Username) -> Result<(), RateLimited> {
        self.check_n(username, NonZeroU32::MIN)
    }

    /// Counts a connection, which costs as much as two messages.
    pub fn check_connection(&self, username: &Username) -> Result<(), RateLimited> {
        self.check_n(username, COST_OF_A_CONNECTION)
    }

    fn check_n(&self, username: &Username, n: NonZeroU32) -> Result<(), RateLimited> {
        let Shared { messages, refusals, .. } = &*self.0;
        self.clean_up();

        let checked = messages.check_key_n(username, n);
        let Err(until) = checked.expect("a burst is two messages or more") else {
            return Ok(());
        };
        let wait = until.wait_time_from(messages.clock().now());
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
            self.0.messages.retain_recent();
            self.0.refusals.retain_recent();
        }
    }
}

/// tokio's clock, which tests can move.
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

impl IntoResponse for RateLimited {
    fn into_response(self) -> Response {
        let (Self::Wait(wait) | Self::TooManyRefusals(wait)) = self;
        let seconds = rounded_up(wait, Duration::from_secs(1));
        let header = [(RETRY_AFTER, seconds.to_string())];
        let sentence = format!("Too many requests. Try again in {seconds} s.");
        (StatusCode::TOO_MANY_REQUESTS, header, sentence).into_response()
    }
}

/// How many `units` a wait lasts, rounded up: who comes back a moment too early is refused
/// again.
pub fn rounded_up(wait: Duration, unit: Duration) -> u128 {
    wait.as_nanos().div_ceil(unit.as_nanos())
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

    /// How many of so many messages are allowed.
    fn allowed(limiter: &RateLimiter, username: &str, of: usize) -> usize {
        (0..of).filter(|_| limiter.check(&name(username)).is_ok()).count()
    }

    /// How many buckets there are, of both kinds.
    fn buckets(limiter: &RateLimiter) -> (usize, usize) {
        (limiter.0.messages.len(), limiter.0.refusals.len())
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
    async fn a_refused_message_does_not_postpone_the_next_one() {
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
    async fn all_clones_count_together_and_all_people_apart() {
        let limiter = limiter(10, 20);

        let all: usize = (0..10).map(|_| allowed(&limiter.clone(), "ana", 3)).sum();

        assert_eq!(all, 20, "one person, however many connections");
        assert_eq!(allowed(&limiter, "ben", 50), 20, "Ben has his own");
    }

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

    #[test]
    fn a_wait_is_rounded_up_and_never_to_zero() {
        let tenths = |micros| {
            rounded_up(Duration::from_micros(micros), Duration::from_millis(100))
        };

        assert_eq!(tenths(1), 1, "a microsecond");
        assert_eq!(tenths(100_000), 1, "a tenth of a second");
        assert_eq!(tenths(100_001), 2, "and a little more");
        assert_eq!(tenths(1_100_000), 11, "eleven tenths are eleven");
    }
}
