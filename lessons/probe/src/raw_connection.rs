use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use crate::{Check, Hint, ONE_MINUTE, WAIT, connection::Connection};

/// What makes a request one for a WebSocket, up to its end (RFC 6455, section 4.1).
pub const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A request for a WebSocket, for clients that write the bytes themselves.
pub fn upgrade_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n{HANDSHAKE}")
}

/// A connection on which a test writes and reads the bytes itself. Dropping it closes it.
pub struct RawConnection {
    connection: Connection,
    opened: Instant,
}

impl RawConnection {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, opened: Instant::now() }
    }

    /// Writes `text`, and nothing else.
    pub async fn writes(&mut self, text: &str) -> Check {
        match timeout(WAIT, self.connection.write_all(text.as_bytes())).await {
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
        while let Ok(Ok(count @ 1..)) =
            timeout(pause, self.connection.read(&mut bytes)).await
        {
            heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        heard
    }

    /// Waits until the server closes the connection. Returns how long it was open.
    pub async fn is_closed(mut self) -> Result<Duration, Hint> {
        let mut rest = Vec::new();
        match timeout(2 * ONE_MINUTE, self.connection.read_to_end(&mut rest)).await {
            Ok(_) => Ok(self.opened.elapsed()), // With a reset, or without.
            Err(_) => Err(Hint::new("The connection is still open after two minutes.")),
        }
    }
}
