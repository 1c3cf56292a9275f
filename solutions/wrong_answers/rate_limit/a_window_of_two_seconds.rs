//! Wrong: 20 messages in each two seconds, counted from the first of them; but the error
//! promises a tenth of a second.
//!
//! Refused by step_3_the_conversation_goes_on:
//! "Ana was refused a message, and then waited for a second."

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::protocol::{ClientMessage, Username};

/// How many messages somebody may send in a window.
const LIMIT: u32 = 20;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(2);

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
        let (_, count) = self.windows.entry(from.clone()).or_insert((now, 0));
        if *count == LIMIT {
            return Err("too many messages: try again in 0.1 s".into());
        }
        *count += 1;
        Ok(())
    }

    pub fn people(&self) -> usize {
        self.windows.len()
    }
}
