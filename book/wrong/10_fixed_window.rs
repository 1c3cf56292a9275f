//! A wrong way: a counter that begins anew with each window of time.

use std::time::Duration;

use tokio::time::Instant;

/// Allows `limit` messages in each window of time.
pub struct FixedWindow {
    limit: u32,
    length: Duration,
    start: Instant,
    count: u32,
}

impl FixedWindow {
    pub fn new(limit: u32, length: Duration) -> Self {
        Self { limit, length, start: Instant::now(), count: 0 }
    }

    pub fn allows(&mut self) -> bool {
        while self.start.elapsed() >= self.length {
            self.start += self.length; // The next window begins, with all of its limit.
            self.count = 0;
        }
        self.count += 1;
        self.count <= self.limit
    }
}
