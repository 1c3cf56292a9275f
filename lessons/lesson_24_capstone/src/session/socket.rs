//! The socket itself, whatever it is used for: its limits, how it is written to, and how
//! it is closed.

use std::{pin::pin, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use futures_util::{FutureExt, SinkExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::{sizes::MAX_MESSAGE_SIZE, telemetry::Metrics};

/// How long it may take to write what is queued. A client that needs longer is too slow.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the closing handshake may take before we drop the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection lingers between our Close and its end, after a violation.
const LINGER: Duration = Duration::from_millis(250);

/// Sets the limits of a new socket: how long a message may be, and how large its buffers.
///
/// The defaults are for large messages: 64 MiB, and a read buffer of 128 KiB for each
/// connection. Chat messages are short.
pub fn with_limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_MESSAGE_SIZE)
        .max_frame_size(MAX_MESSAGE_SIZE)
        .read_buffer_size(1024)
        .write_buffer_size(16 * 1024)
        // What if a client sends pings, and reads none of our pongs? They wait here.
        .max_write_buffer_size(2 * MAX_MESSAGE_SIZE)
}

/// Writes all the messages, in one go.
///
/// `feed` only fills the buffer, `flush` sends it: one system call for a burst, where
/// `send` would make one for each message.
///
/// Only writes that have to wait are measured: nearly all are done at once, and to look at the
/// clock for them would cost more than all the rest.
pub async fn send_all(
    socket: &mut WebSocket,
    messages: impl IntoIterator<Item = Message>,
    metrics: &Metrics,
) -> Result<(), Disconnect> {
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };

    let mut sending = pin!(sending);
    let sent = match sending.as_mut().now_or_never() {
        Some(sent) => Ok(sent),
        None => {
            let start = Instant::now();
            let sent = timeout(SEND_TIMEOUT, sending).await;
            metrics.waited(start); // Also if it has failed: those are the longest.
            sent
        }
    };
    match sent {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Disconnect::TOO_SLOW),
    }
}

/// How a connection ended.
#[derive(Debug, PartialEq)]
pub enum Disconnect {
    /// The client sent a Close, perhaps with a code.
    ByClient(Option<u16>),
    /// The connection was lost: it ended without a Close.
    Lost,
    /// The client violated the protocol, or floods us. We close with this code and this
    /// reason.
    Violation(u16, &'static str),
    /// We close, with this code and this reason.
    ByUs(u16, &'static str),
}

/// Codes from 4000 on are for us to choose (RFC 6455, section 7.4.2).
impl Disconnect {
    pub const TOO_SLOW: Self = Self::ByUs(4008, "too slow");
    pub const TOKEN_EXPIRED: Self = Self::ByUs(4001, "token expired");
    pub const NAME_TAKEN: Self = Self::ByUs(4009, "this name is taken");
    pub const REPLACED: Self = Self::ByUs(4009, "you have connected again");
    pub const NO_PONG: Self = Self::ByUs(4010, "no sign of life");
    pub const IDLE: Self = Self::ByUs(4011, "idle");
    pub const GOING_AWAY: Self = Self::ByUs(close_code::AWAY, "the server is stopping");
    pub const TOO_MANY_MESSAGES: Self =
        Self::Violation(close_code::POLICY, "too many messages");
    pub const TOO_MANY_CONNECTIONS: Self =
        Self::ByUs(close_code::POLICY, "too many connections of yours");
    pub const ROOM_FULL: Self = Self::ByUs(close_code::AGAIN, "this room is full");
    pub const LOG_UNAVAILABLE: Self =
        Self::ByUs(close_code::AGAIN, "the log is not available");
    pub const TOO_MANY_ROOMS: Self =
        Self::ByUs(close_code::AGAIN, "there are too many rooms");
    pub const PROTOCOL_ERROR: Self =
        Self::Violation(close_code::PROTOCOL, "protocol error");
    pub const NOT_UTF8: Self =
        Self::Violation(close_code::INVALID, "text that is not UTF-8");
    pub const TOO_BIG: Self = Self::Violation(close_code::SIZE, "message too big");

    /// All ways in which a session ends by itself.
    pub const ALL: [Self; 17] = [
        Self::ByClient(None),
        Self::Lost,
        Self::TOO_SLOW,
        Self::TOKEN_EXPIRED,
        Self::NAME_TAKEN,
        Self::REPLACED,
        Self::NO_PONG,
        Self::IDLE,
        Self::GOING_AWAY,
        Self::TOO_MANY_MESSAGES,
        Self::TOO_MANY_CONNECTIONS,
        Self::ROOM_FULL,
        Self::LOG_UNAVAILABLE,
        Self::TOO_MANY_ROOMS,
        Self::PROTOCOL_ERROR,
        Self::NOT_UTF8,
        Self::TOO_BIG,
    ];

    /// What to call it in the metrics and in the log: the reason in our Close, or who has ended
    /// the connection.
    pub fn cause(&self) -> &'static str {
        match *self {
            Self::ByClient(_) => "client",
            Self::Lost => "lost",
            Self::Violation(_, reason) | Self::ByUs(_, reason) => reason,
        }
    }

    /// The code in the Close, whoever has sent it.
    pub fn code(&self) -> Option<u16> {
        match *self {
            Self::ByClient(code) => code,
            Self::Lost => None,
            Self::Violation(code, _) | Self::ByUs(code, _) => Some(code),
        }
    }
}

/// Carries out the closing handshake (RFC 6455, section 7.1.2), and drops the connection.
pub async fn close(mut socket: WebSocket, disconnect: &Disconnect) {
    let handshake = async {
        if let Disconnect::ByUs(code, reason) | Disconnect::Violation(code, reason) =
            *disconnect
        {
            let frame = CloseFrame { code, reason: reason.into() };
            let _ = socket.send(Message::Close(Some(frame))).await; // Or it is lost.
        }

        // Why read on? The library answers a Close, and recognises the answer to ours,
        // only while we read. Whatever else the client still sends comes too late.
        let reading = async { while let Some(Ok(_)) = socket.recv().await {} };
        let Disconnect::Violation(..) = disconnect else { return reading.await };

        // A flood has to end somewhere, and after another violation the library reads no
        // more. If we drop the connection while bytes of the client are unread, TCP
        // resets it, and the reset overtakes our Close.
        let _ = timeout(LINGER, reading).await;
        sleep(LINGER).await;
    };

    // A client that does not answer must not keep us.
    let _ = timeout(CLOSE_TIMEOUT, handshake).await;
}

/// An error of `recv` or `send` is one of the ways in which a connection ends.
///
/// After a violation of the protocol the library reads no more, and sends no Close. It
/// still writes ours, which says why (RFC 6455, section 7.4.1).
impl From<axum::Error> for Disconnect {
    fn from(error: axum::Error) -> Self {
        use tungstenite::Error::{Capacity, Protocol, Utf8};

        match error.into_inner().downcast_ref() {
            Some(Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Lost,
            Some(Protocol(_)) => Self::PROTOCOL_ERROR,
            Some(Utf8(_)) => Self::NOT_UTF8,
            Some(Capacity(_)) => Self::TOO_BIG,
            _ => Self::Lost,
        }
    }
}
