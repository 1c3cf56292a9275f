//! What the query says: who may come in, and how they like it.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;

/// What a client may choose, as in `?echo=false`.
#[derive(Deserialize)]
pub struct Options {
    /// Whether the client hears its own messages, too.
    #[serde(default = "yes")]
    pub echo: bool,
}

fn yes() -> bool {
    true
}

/// The word that opens the door. It is the same for everybody, so it keeps out
/// strangers, but does not say who comes in.
const TOKEN: &str = "let-me-in";

/// What a client without the token gets instead of a WebSocket.
pub type Refusal = (StatusCode, &'static str);

/// Somebody who knows the token.
///
/// There is no other way to make one than to bring the token. So a handler that asks
/// for a `Guest` cannot forget to check it.
pub struct Guest(());

#[derive(Deserialize)]
struct Credentials {
    token: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(Credentials { token })) if token == TOKEN => Ok(Self(())),
            Ok(_) => Err((StatusCode::UNAUTHORIZED, "This is not the token.")),
            Err(_) => Err((StatusCode::UNAUTHORIZED, "A token is missing: ?token=…")),
        }
    }
}
