//! Wrong: after a pause of a second the bucket is full again, though only ten tokens
//! came in.
//!
//! Refused by step_9_ten_more_come_in_each_second:
//! "and 10 should get through, but 20 did."

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
    /// When each bucket is full again. Each message puts it off by one `INTERVAL`.
    full_at: HashMap<Username, Instant>,
    spoke_at: HashMap<Username, Instant>,
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
        let full_at = match self.spoke_at.get(from) {
            Some(&spoke_at) if now < spoke_at + Duration::from_secs(1) => {
                self.full_at.get(from).map_or(now, |&time| time.max(now))
            }
            _ => now,
        };
        let full_at = full_at + INTERVAL;
        let too_early = (full_at - now).saturating_sub(BURST * INTERVAL);
        if !too_early.is_zero() {
            let seconds = (too_early.as_secs_f64() * 10.0).ceil() / 10.0; // Never too few.
            return Err(format!("too many messages: try again in {seconds:.1} s"));
        }

        self.spoke_at.insert(from.clone(), now);
        self.full_at.insert(from.clone(), full_at);
        self.forget_the_silent(now);
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.full_at.len()
    }

    /// Looks through all people, but only when they have become twice as many: so it is a
    /// few steps for each message, however many people speak.
    fn forget_the_silent(&mut self, now: Instant) {
        if self.full_at.len() > A_FEW.max(2 * self.active) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.spoke_at.retain(|name, _| self.full_at.contains_key(name));
            self.active = self.full_at.len();
        }
    }
}
