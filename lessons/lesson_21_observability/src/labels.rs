//! By what the metrics are divided. Each label has a closed set of values: those in its list.

use axum::http::StatusCode;
use lesson_08_auth::{Action, Disconnect, ServerMessage};

/// One label: its name and its value.
///
/// Both are `'static`, so they are words of this program. A room, or whatever else a client
/// has chosen, is a `String`, and does not fit.
pub type Label = [(&'static str, &'static str); 1];

pub const OUTCOMES: [&str; 5] =
    ["accepted", "unauthenticated", "forbidden", "too_many", "invalid"];

pub const KINDS: [&str; 4] = ["chat", "ping", "invalid", "control"];

pub const CAUSES: [&str; 8] = [
    "client",
    "lost",
    "violation",
    "token_expired",
    "too_slow",
    "name_taken",
    "other",
    "panic",
];

/// How a handshake was answered, or an attempt to sign in.
pub fn outcome(status: StatusCode) -> &'static str {
    match status {
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::OK => "accepted",
        StatusCode::UNAUTHORIZED => "unauthenticated", // No valid token, or a wrong password.
        StatusCode::FORBIDDEN => "forbidden",          // The page has another origin.
        StatusCode::TOO_MANY_REQUESTS => "too_many",   // Somebody who guesses passwords.
        _ => "invalid", // An impossible room, or no such request at all.
    }
}

/// What a client has sent.
pub fn kind(action: &Action) -> &'static str {
    match action {
        Action::Broadcast(_) => "chat",
        Action::Reply(ServerMessage::Pong) => "ping", // The ping of a page, in JSON.
        Action::Reply(_) => "invalid",                // It is answered with an error.
        Action::Ignore => "control", // A ping or a pong of the protocol below.
    }
}

/// Why a connection ended. (That of a task that has panicked is `panic`.)
pub fn cause(disconnect: &Disconnect) -> &'static str {
    match *disconnect {
        // Without its code, because the client chooses that, out of some thousand.
        Disconnect::ByClient(_) => "client",
        Disconnect::Lost => "lost",
        Disconnect::Violation(..) => "violation",
        Disconnect::TOKEN_EXPIRED => "token_expired",
        Disconnect::TOO_SLOW => "too_slow",
        Disconnect::NAME_TAKEN => "name_taken",
        Disconnect::ByUs(..) => "other",
    }
}
