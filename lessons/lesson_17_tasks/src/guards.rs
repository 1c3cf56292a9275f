//! The guards at the door: which page asks, and who.

use axum::{
    extract::{FromRequestParts, Query},
    http::{
        HeaderName, StatusCode,
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

use crate::{Chat, protocol::Username, tokens::Problem};

/// The cookie that carries the token.
pub const COOKIE: &str = concat!(env!("CARGO_PKG_NAME"), "_token");

/// The subprotocol that we speak. A client that sends its token as a subprotocol must
/// offer this one, too, because we never send a token back.
pub const SUBPROTOCOL: &str = "chat.v1";

/// The pages of others that may talk to us: the book, as `mdbook serve` shows it.
const LISTED_ORIGINS: [&str; 2] = ["http://127.0.0.1:3000", "http://localhost:3000"];

/// A request that comes from no stranger's page.
///
/// Why? A browser lets every page open a WebSocket to us, and sends our cookie along.
/// It also says which page it was, and no script can change that.
pub struct OwnPage(());

impl<S: Sync> FromRequestParts<S> for OwnPage {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return Ok(Self(())); // Not a browser, so there is no cookie to abuse.
        };
        let origin = origin.to_str().unwrap_or_default();
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_own = host.is_some_and(|host| origin == format!("http://{host}"));
        let is_book = cfg!(debug_assertions) && LISTED_ORIGINS.contains(&origin);

        if is_own || is_book {
            Ok(Self(()))
        } else {
            Err((StatusCode::FORBIDDEN, "Pages of other sites may not connect."))
        }
    }
}

/// Somebody who has signed in.
#[derive(Clone)]
pub struct Guest {
    pub username: Username,
    pub expires: Instant,
}

/// What a client without a valid token gets (RFC 6750, section 3).
type Refusal = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

impl FromRequestParts<Chat> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Refusal> {
        let token =
            token(parts).ok_or_else(|| refuse("Sign in first: a token is missing."))?;

        match chat.tokens.verify(&token) {
            Ok((username, left)) if chat.accounts.contains(&username) => {
                Ok(Self { username, expires: Instant::now() + left })
            }
            Err(Problem::Expired) => Err(refuse("Sign in again: the token has expired.")),
            _ => Err(refuse("Sign in again: this token is not valid.")),
        }
    }
}

fn refuse(sentence: &'static str) -> Refusal {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], sentence)
}

/// The token, wherever the client was able to put it.
///
/// A script in a browser cannot set `Authorization`, so it has a subprotocol, the
/// cookie and, as a last resort, the query, which ends up in the logs of proxies.
fn token(parts: &Parts) -> Option<String> {
    #[derive(Deserialize)]
    struct Credentials {
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
    let query = || Some(Query::<Credentials>::try_from_uri(&parts.uri).ok()?.0.token);
    let cookie =
        || Some(CookieJar::from_headers(&parts.headers).get(COOKIE)?.value().into());

    header().or_else(subprotocol).or_else(query).or_else(cookie)
}
