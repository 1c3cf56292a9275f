//! How fast one client may speak.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use crate::limits::Limits;

/// How many refusals we send before we close. Each message that keeps to the limit makes
/// up for one.
const REFUSALS: u32 = 100;

/// Counts what a client sends.
pub struct Pace {
    bucket: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Nanos>>,
    refusals: u32,
}

/// Why a message is not taken.
pub enum TooFast {
    /// It is time for the next one after this wait.
    Wait(Duration),
    /// The client does not stop, whatever we tell it.
    Enough,
}

impl Pace {
    pub fn new(limits: &Limits) -> Self {
        let at_least_one = |limit| NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.messages_per_second))
            .allow_burst(at_least_one(limits.burst));
        let clock = TokioClock { start: Instant::now() };
        Self { bucket: RateLimiter::direct_with_clock(quota, clock), refusals: 0 }
    }

    /// Counts one message.
    pub fn check(&mut self) -> Result<(), TooFast> {
        match self.bucket.check() {
            Ok(()) => {
                self.refusals = self.refusals.saturating_sub(1);
                Ok(())
            }
            Err(_) if self.refusals == REFUSALS => Err(TooFast::Enough),
            Err(until) => {
                self.refusals += 1;
                Err(TooFast::Wait(until.wait_time_from(self.bucket.clock().now())))
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
