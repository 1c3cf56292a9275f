//! What the query says: whether the client may connect, and which options it wants.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;

/// What a client may choose, as in `?echo=false`.
#[derive(Deserialize)]
pub struct Options {
    /// Whether the client gets its own messages back.
    #[serde(default = "yes")]
    pub echo: bool,
}

fn yes() -> bool {
    true
}

/// The token that a client must bring. It is the same for all clients, so it keeps out
/// strangers, but does not say who connects.
const TOKEN: &str = "let-me-in";

/// What a client without the token gets instead of a WebSocket.
pub type Rejection = (StatusCode, &'static str);

/// Proof that the request has brought the token.
///
/// The field is private, so the only way to get a `ValidToken` is to bring the token. A
/// handler that asks for one cannot forget to check it.
pub struct ValidToken(());

#[derive(Deserialize)]
struct Credentials {
    token: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ValidToken {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(Credentials { token })) if token == TOKEN => Ok(Self(())),
            Ok(_) => Err((StatusCode::UNAUTHORIZED, "This is not the token.")),
            Err(_) => Err((StatusCode::UNAUTHORIZED, "A token is missing: ?token=…")),
        }
    }
}
