//! By what the metrics are divided. All labels and their values are words of this program:
//! whatever a client has chosen is a `String`, and does not fit.

use axum::http::StatusCode;

/// Some labels: the name and the value of each.
pub type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What a WebSocket is used for.
#[derive(Clone, Copy)]
pub enum Socket {
    Chat,
    Live,
    Tasks,
}

impl Socket {
    pub const ALL: [Self; 3] = [Self::Chat, Self::Live, Self::Tasks];

    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Live => "live",
            Self::Tasks => "tasks",
        }
    }

    pub fn label(self) -> Labels<1> {
        [("socket", self.name())]
    }
}

/// The routes of the application, as far as they are told apart: those of a kind are one.
pub const ROUTES: [&str; 5] = ["login", "socket", "api", "ready", "other"];

/// Which route answers at this path. What is behind it, an id or a room, does not matter.
pub fn route(path: &str) -> &'static str {
    let is_below = |prefix| path.starts_with(prefix);
    match path {
        "/login" => "login",
        "/health" | "/ready" => "ready",
        _ if is_below("/ws/") || is_below("/api/v1/ws") => "socket",
        _ if is_below("/api/") || path == "/tasks" || is_below("/tasks/") => "api",
        _ => "other",
    }
}

/// The statuses that a server of this kind is asked about, and classes for all others.
pub const STATUSES: [&str; 11] =
    ["101", "2xx", "3xx", "401", "403", "429", "4xx", "503", "5xx", "other", GONE];

/// The client was gone before there was an answer.
pub const GONE: &str = "gone";

pub fn status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        101 => "101",
        401 => "401",
        403 => "403",
        429 => "429",
        503 => "503",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    }
}
