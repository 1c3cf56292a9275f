//! Wrong: 20 messages in each second, counted from the first of them.
//!
//! Refused by step_5_there_is_no_border_at_which_it_begins_anew:
//! "three more than 20 should get through, but 40 did."

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many messages somebody may send in a window.
const LIMIT: u32 = 20;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct RateLimiter {
    /// When the window began, and how many messages it has seen.
    windows: HashMap<Username, (Instant, u32)>,
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
        self.windows.retain(|_, (began, _)| now - *began < WINDOW);
        let (began, count) = self.windows.entry(from.clone()).or_insert((now, 0));
        if *count == LIMIT {
            let seconds = (WINDOW - (now - *began)).as_secs_f64();
            return Err(format!("too many messages: try again in {seconds:.1} s"));
        }
        *count += 1;
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.windows.len()
    }
}
