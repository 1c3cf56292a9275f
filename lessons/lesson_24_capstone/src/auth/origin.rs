//! From which page a request comes.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{
        header::{HOST, ORIGIN},
        request::Parts,
        uri::Authority,
    },
};

use super::state::Auth;
use crate::error::ApiError;

/// The book, as `mdbook serve` shows it. Its pages may connect to a debug build.
const BOOK: [&str; 2] = ["http://127.0.0.1:3000", "http://localhost:3000"];

/// The origins whose pages may connect, beside our own. All clones share one list.
#[derive(Clone, Default)]
pub struct AllowedOrigins(Arc<[String]>);

impl AllowedOrigins {
    /// Reads whole origins with commas between them.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn parse(list: &str) -> Result<Self, String> {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins = origins.map(|entry| {
            let origin = entry.trim_end_matches('/').to_lowercase();
            // A browser leaves out the port that is the default of the scheme.
            let http = origin.strip_prefix("http://").filter(|host| !host.ends_with(":80"));
            let https =
                origin.strip_prefix("https://").filter(|host| !host.ends_with(":443"));
            match http.or(https).map(str::parse::<Authority>) {
                Some(Ok(host)) if !host.as_str().contains(['@', '*']) => Ok(origin),
                _ => Err(format!(
                    "CHAT_ALLOWED_ORIGINS has {entry:?}, but an origin has a scheme (http or https), \
                     a host, and a port if it is not the default, as in \
                     https://chat.example.com or http://127.0.0.1:3000."
                )),
            }
        });
        Ok(Self(origins.collect::<Result<_, _>>()?))
    }

    fn contains(&self, origin: &str) -> bool {
        (cfg!(debug_assertions) && BOOK.contains(&origin))
            || self.0.iter().any(|allowed| allowed == origin)
    }
}

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
        // Behind a proxy that speaks HTTPS, list the proxy's origin: we cannot see it.
        let is_own = header(HOST).is_some_and(|host| origin == format!("http://{host}"));

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
