//! Wrong: a list of the last 20 messages: one more may come when the oldest is two
//! seconds old.
//!
//! Refused by step_3_the_conversation_goes_on:
//! "Ana was refused a message, and then waited for a second."

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many messages somebody may send within `SPAN`.
const BURST: usize = 20;

/// Ten in a second are twenty in two.
const SPAN: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct RateLimiter {
    times: HashMap<Username, VecDeque<Instant>>,
}

impl RateLimiter {
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
        self.times.retain(|_, times| times.back().is_some_and(|&time| now - time < SPAN));
        let times = self.times.entry(from.clone()).or_default();
        times.retain(|&time| now - time < SPAN);
        if times.len() == BURST {
            let seconds = (SPAN - (now - times[0])).as_secs_f64();
            return Err(format!("too many messages: try again in {seconds:.1} s"));
        }
        times.push_back(now);
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.times.len()
    }
}
