//! Another right answer: two generations of people.
//!
//! Whoever speaks is in the young one. When the time has passed in which any bucket
//! becomes full, the old one is dropped as a whole, and the young one becomes old.

use std::{collections::HashMap, mem, time::Duration};

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
    ///
    /// Whoever speaks is in `young`. After the time in which any bucket becomes full,
    /// `young` becomes `old`, and those of `old` are forgotten.
    young: HashMap<Username, Instant>,
    old: HashMap<Username, Instant>,
    born: Option<Instant>,
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
        self.forget_the_silent(now);
        let known = self.young.get(from).or_else(|| self.old.get(from));
        let full_at = known.map_or(now, |&time| time.max(now));
        let full_at = full_at + INTERVAL;
        let too_early = (full_at - now).saturating_sub(BURST * INTERVAL);
        if !too_early.is_zero() {
            let seconds = (too_early.as_secs_f64() * 10.0).ceil() / 10.0; // Never too few.
            return Err(format!("too many messages: try again in {seconds:.1} s"));
        }

        self.old.remove(from);
        self.young.insert(from.clone(), full_at);
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn forget_the_silent(&mut self, now: Instant) {
        let age = self.born.map_or(Duration::MAX, |born| now - born);
        if age >= BURST * INTERVAL {
            let forgets_all = age >= 2 * BURST * INTERVAL;
            self.old = mem::take(&mut self.young);
            if forgets_all {
                self.old.clear();
            }
            self.born = Some(now);
        }
    }
}
