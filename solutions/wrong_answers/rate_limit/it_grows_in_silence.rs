//! Wrong: nothing keeps a bucket from holding more than 20 tokens.
//!
//! Refused by step_4_silence_saves_up_twenty_and_no_more:
//! "However long she was silent, 20 at once is the most."

use std::collections::HashMap;

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many tokens fit into a bucket.
const CAPACITY: f64 = 20.0;

/// How many tokens come in each second.
const PER_SECOND: f64 = 10.0;

/// What sums of fractions may be wrong by.
const A_HAIR: f64 = 1e-6;

#[derive(Default)]
pub struct RateLimiter {
    buckets: HashMap<Username, Bucket>,
}

struct Bucket {
    /// How many tokens there were at `time`.
    tokens: f64,
    time: Instant,
}

impl Bucket {
    fn tokens_at(&self, now: Instant) -> f64 {
        let new = (now - self.time).as_secs_f64() * PER_SECOND;
        self.tokens + new
    }
}

impl RateLimiter {
    pub fn admit(
        &mut self,
        from: &Username,
        message: &ClientMessage,
    ) -> Result<(), String> {
        match message {
            ClientMessage::Chat { .. } | ClientMessage::Private { .. } => {}
            ClientMessage::Ping
            | ClientMessage::Typing
            | ClientMessage::Resume { .. } => {
                return Ok(());
            }
        }

        let now = Instant::now();
        let tokens =
            self.buckets.get(from).map_or(CAPACITY, |bucket| bucket.tokens_at(now));
        if tokens < 1.0 - A_HAIR {
            let seconds = (1.0 - tokens) / PER_SECOND + 0.005; // Not rounded down.
            return Err(format!("too many messages: try again in {seconds:.2} s"));
        }
        self.buckets.insert(from.clone(), Bucket { tokens: tokens - 1.0, time: now });

        Ok(())
    }

    pub fn people(&self) -> usize {
        self.buckets.len()
    }
}
