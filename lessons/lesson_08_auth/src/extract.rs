//! Extractors that run before the upgrade: from which page the request comes, and who
//! sends it.

use std::{
    env::{self, VarError},
    sync::Arc,
};

use axum::{
    extract::{FromRef, FromRequestParts, Query},
    http::{
        HeaderName, StatusCode, Uri,
        header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE},
        request::Parts,
    },
};
use axum_extra::{
    extract::CookieJar,
    headers::{Authorization, HeaderMapExt, authorization::Bearer},
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    protocol::Username,
    tokens::{TokenError, Tokens},
    users::Users,
};

/// The cookie that carries the token. Cookies do not tell ports apart, so its name tells
/// this program's cookie from that of another one on this machine.
pub const COOKIE: &str = concat!(env!("CARGO_PKG_NAME"), "_token");

/// The subprotocol that we speak. A client that sends its token as a subprotocol must
/// offer this one, too, because we never send a token back.
pub const SUBPROTOCOL: &str = "chat.v1";

/// The book, as `mdbook serve` shows it. Its pages may connect to a debug build.
const BOOK: [&str; 2] = ["http://127.0.0.1:3000", "http://localhost:3000"];

/// The origins whose pages may connect, beside our own. All clones share one list.
#[derive(Clone, Default)]
pub struct AllowedOrigins(Arc<[String]>);

impl AllowedOrigins {
    /// Reads `ALLOWED_ORIGINS`: whole origins with commas between them.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        match env::var("ALLOWED_ORIGINS") {
            Ok(list) => Self::parse(&list),
            Err(VarError::NotPresent) => Ok(Self::default()),
            Err(VarError::NotUnicode(_)) => Err("ALLOWED_ORIGINS should be text.".into()),
        }
    }

    pub fn parse(list: &str) -> Result<Self, String> {
        let origins = list
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/'))
            .filter(|origin| !origin.is_empty());
        for origin in origins.clone() {
            let uri: Option<Uri> = origin.parse().ok();
            // The browser sends scheme, host and port, and no path.
            let is_whole =
                uri.is_some_and(|uri| uri.scheme().is_some() && uri.path() == "/");
            if !is_whole {
                return Err(format!(
                    "ALLOWED_ORIGINS has {origin:?}, but an origin has a scheme and a host, \
                     as in https://chat.example.com or http://127.0.0.1:3000."
                ));
            }
        }
        Ok(Self(origins.map(str::to_lowercase).collect()))
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
pub struct AllowedOrigin(());

impl<S: Sync> FromRequestParts<S> for AllowedOrigin
where
    AllowedOrigins: FromRef<S>,
{
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, Self::Rejection> {
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return Ok(Self(())); // Not a browser, so there is no cookie to abuse.
        };
        let origin = origin.to_str().unwrap_or_default();
        // Behind a proxy that speaks HTTPS, list the proxy's origin: we cannot see it.
        let is_own = parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .is_some_and(|host| origin == format!("http://{host}"));

        if is_own || AllowedOrigins::from_ref(state).contains(origin) {
            Ok(Self(()))
        } else {
            let sentence = "Pages of this origin may not connect. ALLOWED_ORIGINS lists \
                            those that may.";
            Err((StatusCode::FORBIDDEN, sentence))
        }
    }
}

/// Somebody who has signed in.
pub struct CurrentUser {
    pub username: Username,
    pub expires: Instant,
}

/// What a client without a valid token gets (RFC 6750, section 3).
type Rejection = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

impl<S: Sync> FromRequestParts<S> for CurrentUser
where
    Tokens: FromRef<S>,
    Users: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let token = token(parts)
            .ok_or_else(|| unauthorized("Sign in first: a token is missing."))?;

        match Tokens::from_ref(state).verify(&token) {
            Ok((username, left)) if Users::from_ref(state).contains(&username) => {
                Ok(Self { username, expires: Instant::now() + left })
            }
            Err(TokenError::Expired) => {
                Err(unauthorized("Sign in again: the token has expired."))
            }
            _ => Err(unauthorized("Sign in again: this token is not valid.")),
        }
    }
}

fn unauthorized(sentence: &'static str) -> Rejection {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], sentence)
}

/// The token, wherever the client was able to put it.
///
/// A script in a browser cannot set `Authorization`, so it has a subprotocol, the
/// cookie and, as a last resort, the query, which ends up in the logs of proxies.
fn token(parts: &Parts) -> Option<String> {
    #[derive(Deserialize)]
    struct TokenQuery {
        token: String,
    }

    let header =
        || Some(parts.headers.typed_get::<Authorization<Bearer>>()?.token().into());
    let subprotocol = || {
        let offered = parts.headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        let token =
            offered.split(',').find_map(|name| name.trim().strip_prefix("bearer."))?;
        Some(token.into())
    };
    let query = || Some(Query::<TokenQuery>::try_from_uri(&parts.uri).ok()?.0.token);
    let cookie =
        || Some(CookieJar::from_headers(&parts.headers).get(COOKIE)?.value().into());

    header().or_else(subprotocol).or_else(query).or_else(cookie)
}
