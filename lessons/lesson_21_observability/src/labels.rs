//! By what the metrics are divided. Each label is an enum, so its values are a closed set.

use axum::http::StatusCode;
use lesson_08_auth::{Action, Disconnect, ServerMessage};

/// One label: its name and its value.
///
/// Both are `'static`, so they are words of this program. A room, or whatever else a client
/// has chosen, is a `String`, and does not fit.
pub type Label = [(&'static str, &'static str); 1];

/// How a handshake was answered.
#[derive(Clone, Copy)]
pub enum Outcome {
    Accepted,
    /// The token is missing, or not valid.
    Unauthenticated,
    /// The page has another origin.
    Forbidden,
    /// An impossible room, or no handshake at all.
    Invalid,
}

impl Outcome {
    pub const ALL: [Self; 4] =
        [Self::Accepted, Self::Unauthenticated, Self::Forbidden, Self::Invalid];

    pub fn label(self) -> Label {
        let value = match self {
            Self::Accepted => "accepted",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
        };
        [("outcome", value)]
    }
}

impl From<StatusCode> for Outcome {
    fn from(status: StatusCode) -> Self {
        match status {
            StatusCode::SWITCHING_PROTOCOLS => Self::Accepted,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            _ => Self::Invalid,
        }
    }
}

/// What a client has sent.
#[derive(Clone, Copy)]
pub enum Kind {
    Chat,
    /// The ping of a page, in JSON.
    Ping,
    /// What was answered with an error.
    Invalid,
    /// A ping or a pong of the protocol below.
    Control,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Chat, Self::Ping, Self::Invalid, Self::Control];

    pub fn label(self) -> Label {
        let value = match self {
            Self::Chat => "chat",
            Self::Ping => "ping",
            Self::Invalid => "invalid",
            Self::Control => "control",
        };
        [("kind", value)]
    }
}

impl From<&Action> for Kind {
    fn from(action: &Action) -> Self {
        match action {
            Action::Broadcast(_) => Self::Chat,
            Action::Reply(ServerMessage::Pong) => Self::Ping,
            Action::Reply(_) => Self::Invalid,
            Action::Ignore => Self::Control,
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy)]
pub enum Cause {
    /// The client has sent a Close.
    Client,
    Lost,
    Violation,
    TokenExpired,
    TooSlow,
    NameTaken,
    /// We closed, for a reason that is not in this list.
    Other,
    /// Its task has panicked.
    Panic,
}

impl Cause {
    pub const ALL: [Self; 8] = [
        Self::Client,
        Self::Lost,
        Self::Violation,
        Self::TokenExpired,
        Self::TooSlow,
        Self::NameTaken,
        Self::Other,
        Self::Panic,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Lost => "lost",
            Self::Violation => "violation",
            Self::TokenExpired => "token_expired",
            Self::TooSlow => "too_slow",
            Self::NameTaken => "name_taken",
            Self::Other => "other",
            Self::Panic => "panic",
        }
    }

    pub fn label(self) -> Label {
        [("cause", self.as_str())]
    }
}

impl From<&Disconnect> for Cause {
    fn from(disconnect: &Disconnect) -> Self {
        match *disconnect {
            // Without its code, because the client chooses that, out of some thousand.
            Disconnect::ByClient(_) => Self::Client,
            Disconnect::Lost => Self::Lost,
            Disconnect::Violation(..) => Self::Violation,
            Disconnect::TOKEN_EXPIRED => Self::TokenExpired,
            Disconnect::TOO_SLOW => Self::TooSlow,
            Disconnect::NAME_TAKEN => Self::NameTaken,
            Disconnect::ByUs(..) => Self::Other,
        }
    }
}
