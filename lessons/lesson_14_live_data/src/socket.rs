//! The socket itself, whatever it is used for: its sizes, and how it ends.

use std::{fmt, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use futures_util::SinkExt;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

/// How much we read from the line, or write to it, at a time, in bytes.
const BUFFER_SIZE: usize = 4 * 1024;

/// How long we wait for a client that has to do its part, and then hang up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far our Close travels ahead of the end of the line, after a fault.
const HEAD_START: Duration = Duration::from_millis(250);

/// The close code for a client whose token is no longer valid. From 4000 on, codes are
/// ours to choose (RFC 6455, section 7.4.2).
const NOT_AUTHENTICATED: u16 = 4001;

/// The close code for a client that does not keep up.
const TOO_SLOW: u16 = 4008;

/// The close code for a client whose name is in use.
const NAME_TAKEN: u16 = 4009;

/// The close code for a client that does not answer our pings.
const NO_SIGN_OF_LIFE: u16 = 4010;

/// The close code for a client that nobody uses.
const IDLE: u16 = 4011;

/// Sizes a new socket for chat. `limit` is the longest message, in bytes.
pub fn sized(upgrade: WebSocketUpgrade, limit: usize) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(BUFFER_SIZE)
        .write_buffer_size(BUFFER_SIZE)
        .max_write_buffer_size(2 * limit)
        .max_message_size(limit)
        .max_frame_size(limit)
}

/// Writes all the messages, in one go.
///
/// `feed` only fills the buffer, `flush` sends it: one system call for a burst, where
/// `send` would make one for each message.
pub async fn send_all(
    socket: &mut WebSocket,
    messages: impl IntoIterator<Item = Message>,
) -> Result<(), Ending> {
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };

    // A client that does not read would keep us here for ever.
    timeout(PATIENCE, sending).await.map_err(|_| Ending::TOO_SLOW)??;
    Ok(())
}

/// How a conversation ended.
#[derive(Debug, PartialEq)]
pub enum Ending {
    /// The client said goodbye, perhaps with a code and a reason.
    Closed(Option<CloseFrame>),
    /// The line went dead, and nobody said goodbye.
    Dropped,
    /// The client broke the protocol, or floods us; we say so with this code and reason.
    Fault(u16, &'static str),
    /// We ended it, with this code and this reason.
    ByUs(u16, &'static str),
}

impl Ending {
    pub const TOO_SLOW: Self = Self::ByUs(TOO_SLOW, "too slow");
    pub const TOKEN_EXPIRED: Self = Self::ByUs(NOT_AUTHENTICATED, "token expired");
    pub const NAME_TAKEN: Self = Self::ByUs(NAME_TAKEN, "this name is taken");
    pub const NO_SIGN_OF_LIFE: Self = Self::ByUs(NO_SIGN_OF_LIFE, "no sign of life");
    pub const TOO_FAST: Self = Self::Fault(close_code::POLICY, "too many messages");
    pub const TOO_MANY_CONNECTIONS: Self =
        Self::ByUs(close_code::POLICY, "too many connections of yours");
    pub const ROOM_FULL: Self = Self::ByUs(close_code::AGAIN, "this room is full");
    pub const TOO_MANY_ROOMS: Self =
        Self::ByUs(close_code::AGAIN, "there are too many rooms");
    pub const IDLE: Self = Self::ByUs(IDLE, "idle");

    /// Says goodbye, and hears the other side out.
    pub async fn part(self, mut socket: WebSocket) {
        let handshake = async {
            if let Self::ByUs(code, reason) | Self::Fault(code, reason) = self {
                let frame = CloseFrame { code, reason: reason.into() };
                let _ = socket.send(Message::Close(Some(frame))).await; // Or it left.
            }

            // While we listen, the client's Close gets its answer, or ours does.
            // Whatever else the client still says comes too late.
            let listening = async { while let Some(Ok(_)) = socket.recv().await {} };
            let Self::Fault(..) = self else { return listening.await };

            // A flood has to end somewhere, and after another fault there is nothing to
            // hear. If we hang up while bytes of the client are unread, the line is
            // reset, and the reset overtakes our Close.
            let _ = timeout(HEAD_START, listening).await;
            sleep(HEAD_START).await;
        };

        // A client that does not answer must not keep us.
        let _ = timeout(PATIENCE, handshake).await;
    }
}

/// What `recv` and `send` report is an ending like any other.
///
/// The library hangs up without a word on a client that breaks the protocol. Our
/// Close tells it why (RFC 6455, section 7.4.1).
impl From<axum::Error> for Ending {
    fn from(error: axum::Error) -> Self {
        use tungstenite::Error::{Capacity, Protocol, Utf8};

        match error.into_inner().downcast_ref() {
            Some(Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Dropped,
            Some(Protocol(_)) => Self::Fault(close_code::PROTOCOL, "protocol error"),
            Some(Utf8(_)) => Self::Fault(close_code::INVALID, "text that is not UTF-8"),
            Some(Capacity(_)) => Self::Fault(close_code::SIZE, "message too big"),
            _ => Self::Dropped,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Some(CloseFrame { code, .. })) => {
                write!(f, "it closed with {code}")
            }
            Self::Closed(None) => write!(f, "it closed without a code"),
            Self::Dropped => write!(f, "its line dropped"),
            Self::Fault(code, reason) => {
                write!(f, "it broke the rules: {code} ({reason})")
            }
            Self::ByUs(code, reason) => write!(f, "we closed with {code} ({reason})"),
        }
    }
}
