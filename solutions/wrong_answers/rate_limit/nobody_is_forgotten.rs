//! Wrong: who has spoken once is remembered for ever.
//!
//! Refused by step_16_who_has_been_silent_is_forgotten:
//! "The server should remember her, and 50 people at most"

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many messages somebody may send at once, after a silence.
const BURST: u32 = 20;

/// How long it takes until somebody may send one more: ten come in a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// Who has sent how much lately.
#[derive(Default)]
pub struct RateLimiter {
    /// When each bucket is full again. Each message puts it off by one `INTERVAL`.
    full_at: HashMap<Username, Instant>,
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
        let full_at = self.full_at.get(from).map_or(now, |&time| time.max(now));
        let full_at = full_at + INTERVAL;
        let too_early = (full_at - now).saturating_sub(BURST * INTERVAL);
        if !too_early.is_zero() {
            let seconds = (too_early.as_secs_f64() * 10.0).ceil() / 10.0; // Never too few.
            return Err(format!("too many messages: try again in {seconds:.1} s"));
        }

        self.full_at.insert(from.clone(), full_at);
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.full_at.len()
    }
}
