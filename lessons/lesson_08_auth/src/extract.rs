//! Extractors that run before the upgrade: from which page the request comes, and who
//! sends it.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts, Query},
    http::{
        StatusCode,
        header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL},
        request::Parts,
        uri::{Authority, Scheme},
    },
};
use axum_extra::{
    extract::CookieJar,
    headers::{Authorization, HeaderMapExt, authorization::Bearer},
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{auth::Auth, protocol::Username, tokens::TokenError};

/// The subprotocol that we speak. A client that sends its token as a subprotocol must
/// offer this one, too, because we never send a token back.
pub const SUBPROTOCOL: &str = "chat.v1";

/// The book, as `mdbook serve` shows it. Its pages may connect to a debug build.
const BOOK: [&str; 2] = ["http://127.0.0.1:3000", "http://localhost:3000"];

/// The origins whose pages may connect, beside our own. All clones share one list.
#[derive(Clone, Default)]
pub struct AllowedOrigins(Arc<[String]>);

impl AllowedOrigins {
    /// Reads what is in `ALLOWED_ORIGINS`: whole origins with commas between them.
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
                    "ALLOWED_ORIGINS has {entry:?}, but an origin has a scheme (http or https), \
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
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, Self::Rejection> {
        let header = |name| Some(parts.headers.get(name)?.to_str().unwrap_or_default());
        let Some(origin) = header(ORIGIN) else {
            return Ok(Self); // Not a browser, so there is no cookie to abuse.
        };
        // A request does not say whether it came over HTTPS. A program that knows (with TLS
        // of its own, or from its proxy) puts the scheme here. Others list the origin.
        let scheme = parts.extensions.get().unwrap_or(&Scheme::HTTP);
        let own = |host| format!("{scheme}://{host}");
        let is_own = header(HOST).is_some_and(|host| origin == own(host));

        if is_own || Auth::from_ref(state).origins.contains(origin) {
            Ok(Self)
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

impl<S: Sync> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
{
    type Rejection = TokenError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, TokenError> {
        let auth = Auth::from_ref(state);
        let token = token(parts, &auth.cookie()).ok_or(TokenError::Missing)?;
        let (username, left) = auth.tokens.verify(&token)?;
        if !auth.users.contains(&username) {
            return Err(TokenError::Invalid); // It was somebody, when we signed it.
        }
        Ok(Self { username, expires: Instant::now() + left })
    }
}

/// `?token=…`. If it comes twice, there is no telling which one others have checked, so
/// there is none.
#[derive(Deserialize)]
struct QueryToken {
    token: Option<String>,
}

/// The token, wherever the client was able to put it.
///
/// A script in a browser cannot set `Authorization`, so it has a subprotocol, or the query,
/// which ends up in the logs of proxies. The browser sends the cookie by itself, so what the
/// client has put somewhere on purpose comes first.
fn token(Parts { headers, uri, .. }: &Parts, cookie: &str) -> Option<String> {
    let header = || Some(headers.typed_get::<Authorization<Bearer>>()?.token().into());
    let subprotocol = || {
        let mut offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',');
        Some(offered.find_map(|name| name.trim().strip_prefix("bearer."))?.into())
    };
    let query = || Query::<QueryToken>::try_from_uri(uri).ok()?.0.token;
    let cookie = || Some(CookieJar::from_headers(headers).get(cookie)?.value().into());

    header().or_else(subprotocol).or_else(query).or_else(cookie)
}
