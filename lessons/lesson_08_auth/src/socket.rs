//! The socket itself, whatever it is used for: its limits, how it is written to, and how
//! it is closed.

use std::{fmt, sync::Arc, time::Duration};

use axum::extract::ws::{
    CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code,
};
use futures_util::SinkExt;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

/// How much we read from a connection at a time, in bytes.
///
/// Each connection keeps a buffer of this size for as long as it lives, so this is most
/// of what an idle client costs. Chat messages are short.
const READ_BUFFER_SIZE: usize = 1024;

/// How much may gather before it is written, in bytes.
///
/// The more messages leave in one system call, the less each of them costs. The buffer
/// grows when it is used, so an idle client does not pay for it.
const WRITE_BUFFER_SIZE: usize = 16 * 1024;

/// How long one write may take. A client that does not read for so long is too slow.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the closing handshake may take before we drop the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection lingers between our Close and its end, after a violation.
const LINGER: Duration = Duration::from_millis(250);

/// The close code for a client whose token is no longer valid. From 4000 on, codes are
/// ours to choose (RFC 6455, section 7.4.2).
const NOT_AUTHENTICATED: u16 = 4001;

/// The close code for a client that does not keep up.
const TOO_SLOW: u16 = 4008;

/// The close code for a client whose name is in use.
const NAME_TAKEN: u16 = 4009;

/// Sets the limits of a new socket. `max_message_size` is the longest message that we
/// accept, in bytes.
pub fn with_limits(
    upgrade: WebSocketUpgrade,
    max_message_size: usize,
) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_SIZE)
        .write_buffer_size(WRITE_BUFFER_SIZE)
        .max_write_buffer_size(2 * max_message_size)
        .max_message_size(max_message_size)
        .max_frame_size(max_message_size)
}

/// Messages that are sent to a client together. Mostly it is one.
///
/// A clone is cheap: all clones share the same texts.
pub type Batch = Arc<[Utf8Bytes]>;

/// Writes everything that is queued for a client, in one go.
///
/// `feed` only fills the buffer, `flush` writes it: one system call for a burst, where
/// `send` would make one for each message.
pub async fn send_all(
    socket: &mut WebSocket,
    queued: &mut Vec<Batch>,
) -> Result<(), Disconnect> {
    let sending = async {
        for batch in queued.drain(..) {
            for text in batch.iter() {
                socket.feed(Message::Text(text.clone())).await?;
            }
        }
        socket.flush().await
    };

    // A client that does not read would keep us here for ever.
    timeout(SEND_TIMEOUT, sending).await.map_err(|_| Disconnect::TOO_SLOW)??;
    Ok(())
}

/// How a connection ended.
#[derive(Debug, PartialEq)]
pub enum Disconnect {
    /// The client sent a Close, perhaps with a code and a reason.
    ByClient(Option<CloseFrame>),
    /// The connection was lost: it ended without a Close.
    Lost,
    /// The client violated the protocol. We close with this code and this reason.
    Violation(u16, &'static str),
    /// We close, with this code and this reason.
    ByUs(u16, &'static str),
}

impl Disconnect {
    pub const TOKEN_EXPIRED: Self = Self::ByUs(NOT_AUTHENTICATED, "token expired");
    pub const TOO_SLOW: Self = Self::ByUs(TOO_SLOW, "too slow");
    pub const NAME_TAKEN: Self = Self::ByUs(NAME_TAKEN, "this name is taken");
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
        while let Some(Ok(_)) = socket.recv().await {}

        // After a violation the library reads no more. If we drop the connection while
        // bytes of the client are unread, TCP resets it, and the reset overtakes our
        // Close.
        if let Disconnect::Violation(..) = disconnect {
            sleep(LINGER).await;
        }
    };

    // A client that does not answer must not keep us.
    let _ = timeout(CLOSE_TIMEOUT, handshake).await;
}

/// An error of `recv` or `send` is one of the ways in which a connection ends.
///
/// The library drops the connection of a client that violates the protocol, and sends no
/// Close. Ours says why (RFC 6455, section 7.4.1).
impl From<axum::Error> for Disconnect {
    fn from(error: axum::Error) -> Self {
        use tungstenite::Error::{Capacity, Protocol, Utf8};

        match error.into_inner().downcast_ref() {
            Some(Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Lost,
            Some(Protocol(_)) => Self::Violation(close_code::PROTOCOL, "protocol error"),
            Some(Utf8(_)) => {
                Self::Violation(close_code::INVALID, "text that is not UTF-8")
            }
            Some(Capacity(_)) => Self::Violation(close_code::SIZE, "message too big"),
            _ => Self::Lost,
        }
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByClient(Some(CloseFrame { code, .. })) => {
                write!(f, "closed by the client with {code}")
            }
            Self::ByClient(None) => write!(f, "closed by the client without a code"),
            Self::Lost => write!(f, "connection lost"),
            Self::Violation(code, reason) => {
                write!(f, "protocol violation, closed by us with {code} ({reason})")
            }
            Self::ByUs(code, reason) => write!(f, "closed by us with {code} ({reason})"),
        }
    }
}
