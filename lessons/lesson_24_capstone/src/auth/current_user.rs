//! Who sends a request.

use axum::{
    extract::{FromRef, FromRequestParts, Query},
    http::{header::SEC_WEBSOCKET_PROTOCOL, request::Parts},
};
use axum_extra::{
    extract::CookieJar,
    headers::{Authorization, HeaderMapExt, authorization::Bearer},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{state::Auth, tokens::TokenError, users::Role};
use crate::{error::ApiError, names::Username};

/// The cookie that carries the token. Cookies do not tell ports apart, so its name tells
/// this program's cookie from that of another one on this machine.
pub const COOKIE: &str = concat!(env!("CARGO_PKG_NAME"), "_token");

/// The subprotocol that we speak. A client that sends its token as a subprotocol must
/// offer this one, too, because we never send a token back.
pub const SUBPROTOCOL: &str = "chat.v1";

/// Somebody who has signed in.
#[derive(Clone)]
pub struct CurrentUser {
    pub username: Username,
    pub role: Role,
    pub expires: Instant,
}

impl<S: Sync> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(user) = parts.extensions.get::<Self>() {
            return Ok(user.clone()); // It was verified already: see `require_user`.
        }
        let auth = Auth::from_ref(state);
        let token = token(parts).ok_or(TokenError::Missing)?;
        let verified = auth.tokens.verify(&token)?;
        if auth.users.role(&verified.username).is_none() {
            return Err(TokenError::Invalid.into()); // It was somebody, when we signed it.
        }
        let user = Self {
            username: verified.username,
            role: verified.role,
            expires: Instant::now() + verified.left,
        };
        parts.extensions.insert(user.clone());
        Ok(user)
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
fn token(Parts { headers, uri, .. }: &Parts) -> Option<String> {
    let header = || Some(headers.typed_get::<Authorization<Bearer>>()?.token().into());
    let subprotocol = || {
        let mut offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',');
        Some(offered.find_map(|name| name.trim().strip_prefix("bearer."))?.into())
    };
    let query = || Query::<QueryToken>::try_from_uri(uri).ok()?.0.token;
    let cookie = || Some(CookieJar::from_headers(headers).get(COOKIE)?.value().into());

    header().or_else(subprotocol).or_else(query).or_else(cookie)
}
