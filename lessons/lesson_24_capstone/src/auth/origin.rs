//! From which page a request comes.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{
        header::{HOST, ORIGIN},
        request::Parts,
        uri::Scheme,
    },
};

use super::state::Auth;
use crate::error::ApiError;

/// A request from our own page, from an allowed one, or from no page at all.
///
/// Why? A browser lets every page open a WebSocket to us, and may send our cookie along
/// (cross-site WebSocket hijacking). It also sends the origin of the page, and no script
/// can change that.
pub struct AllowedOrigin;

impl<S: Sync> FromRequestParts<S> for AllowedOrigin
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let header = |name| Some(parts.headers.get(name)?.to_str().unwrap_or_default());
        let Some(origin) = header(ORIGIN) else {
            return Ok(Self); // Not a browser, so there is no cookie to abuse.
        };
        // A request does not say whether it came over HTTPS. A proxy of ours does
        // (`server/forwarded.rs`); behind others, list the origin.
        let scheme = parts.extensions.get().unwrap_or(&Scheme::HTTP);
        let own = |host| format!("{scheme}://{host}");
        let is_own = header(HOST).is_some_and(|host| origin == own(host));

        if is_own || Auth::from_ref(state).origins.contains(origin) {
            Ok(Self)
        } else {
            Err(ApiError::forbidden(
                "Pages of this origin may not connect. CHAT_ALLOWED_ORIGINS lists those \
                 that may.",
            ))
        }
    }
}
