//! Wrong: the ten tokens of a second come in together, when the second is over.
//!
//! Refused by step_5_there_is_no_border_at_which_it_begins_anew:
//! "should get through, but 30 did."

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many messages somebody may send at once, after a silence.
const BURST: u32 = 20;

/// How long it takes until somebody may send one more: ten come in a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// With fewer people than this, nobody is forgotten.
const A_FEW: usize = 25;

/// Who has sent how much lately.
#[derive(Default)]
pub struct RateLimiter {
    /// How many tokens there are, and when that was.
    buckets: HashMap<Username, (u32, Instant)>,
    /// How many people there were after the last clean-up.
    active: usize,
}

impl RateLimiter {
    /// Lets a message pass, or says when to try again. What is refused costs nothing.
    ///
    /// Why a time, and not a number of tokens? Nothing has to be filled up: time passes by
    /// itself. And a full bucket is a time that is over, the same as none at all.
    pub fn admit(
        &mut self,
        from: &Username,
        message: &ClientMessage,
    ) -> Result<(), String> {
        if !matches!(message, ClientMessage::Chat { .. } | ClientMessage::Private { .. })
        {
            return Ok(());
        }

        let now = Instant::now();
        let (tokens, counted_at) =
            self.buckets.get(from).copied().unwrap_or((BURST, now));
        let seconds = (now - counted_at).as_secs();
        let tokens = BURST.min(tokens.saturating_add(10 * seconds as u32));
        let counted_at = counted_at + Duration::from_secs(seconds);
        if tokens == 0 {
            let too_early = counted_at + 10 * INTERVAL - now;
            let seconds = (too_early.as_secs_f64() * 10.0).ceil() / 10.0; // Never too few.
            return Err(format!("too many messages: try again in {seconds:.1} s"));
        }

        self.buckets.insert(from.clone(), (tokens - 1, counted_at));
        self.forget_the_silent(now);
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.buckets.len()
    }

    /// Looks through all people, but only when they have become twice as many: so it is a
    /// few steps for each message, however many people speak.
    fn forget_the_silent(&mut self, now: Instant) {
        if self.buckets.len() > A_FEW.max(2 * self.active) {
            self.buckets.retain(|_, (_, at)| now - *at < BURST * INTERVAL);
            self.active = self.buckets.len();
        }
    }
}
