use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use crate::{Check, Hint, ONE_MINUTE, WAIT, line::Line};

/// A line on which a test writes and reads the bytes itself. Dropping it hangs up.
pub struct OpenLine {
    line: Line,
    opened: Instant,
}

impl OpenLine {
    pub(crate) fn new(line: Line) -> Self {
        Self { line, opened: Instant::now() }
    }

    /// Writes `text`, and nothing else.
    pub async fn writes(&mut self, text: &str) -> Check {
        match timeout(WAIT, self.line.write_all(text.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Hint::new(format!("{text:?} could not be written: {error}.")))
            }
            Err(_) => Err(Hint::new(format!("The server does not read {text:?}."))),
        }
    }

    /// What comes until nothing has come for `pause`.
    pub async fn hears_out(&mut self, pause: Duration) -> String {
        let (mut heard, mut bytes) = (String::new(), [0; 1024]);
        while let Ok(Ok(count @ 1..)) = timeout(pause, self.line.read(&mut bytes)).await {
            heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        heard
    }

    /// Waits until the server hangs up. Says how long the line was open.
    pub async fn is_hung_up(mut self) -> Result<Duration, Hint> {
        let mut rest = Vec::new();
        match timeout(2 * ONE_MINUTE, self.line.read_to_end(&mut rest)).await {
            Ok(_) => Ok(self.opened.elapsed()), // With a reset, or without.
            Err(_) => Err(Hint::new("The line is still open after two minutes.")),
        }
    }
}
