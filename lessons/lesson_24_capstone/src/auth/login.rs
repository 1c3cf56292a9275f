//! `POST /login`: a name and a password for a token. `GET /me`: who is signed in.

use std::net::SocketAddr;

use axum::{
    Extension, Router,
    extract::{ConnectInfo, DefaultBodyLimit, FromRef, State},
    http::{StatusCode, uri::Scheme},
    response::Json as JsonResponse,
    routing::{get, post},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

use super::{
    current_user::{COOKIE, CurrentUser},
    origin::AllowedOrigin,
    state::Auth,
    tokens::TOKEN_LIFETIME,
};
use crate::{error::ApiError, extract::Json, names::Username};

/// The longest body of a login, in bytes. Names and passwords are short.
const MAX_LOGIN_SIZE: usize = 4 * 1024;

/// `POST /login`, `POST /logout` and `GET /me`.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
{
    let login = post(login).layer(DefaultBodyLimit::max(MAX_LOGIN_SIZE));
    Router::new()
        .route("/login", login)
        .route("/logout", post(logout))
        .route("/me", get(me))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// Answers with a token, and leaves a copy in a cookie for the browser.
///
/// Spaces around the name do not matter, nor do capital letters: phones add both.
async fn login(
    State(auth): State<Auth>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    scheme: Option<Extension<Scheme>>,
    cookies: CookieJar,
    Json(Credentials { username, password }): Json<Credentials>,
) -> Result<(CookieJar, JsonResponse<Value>), ApiError> {
    // One sentence for both mistakes: it must not tell which names exist.
    let wrong = || ApiError::unauthorized("Wrong name or password.");
    let username =
        Username::try_from(username.trim().to_lowercase()).map_err(|_| wrong())?;
    let address = address.ip();

    auth.limits
        .attempt(&username, address)
        .map_err(|wait| ApiError::too_many("Too many attempts to sign in", wait))?;
    let role = auth.users.verify_password(&username, password).await?;
    // Here, so that the limits bound the lines, too. Why not whose name it was? People type a
    // password into the wrong field.
    let role = role.ok_or_else(|| {
        info!(%address, "sign-in refused: wrong name or password");
        wrong()
    })?;
    auth.limits.succeeded(&username, address);

    let token = auth.tokens.issue(username.clone(), role);
    let expires_in = TOKEN_LIFETIME.as_secs();
    let answer =
        json!({ "token": token, "username": username, "expires_in": expires_in });
    let is_https = scheme.is_some_and(|Extension(scheme)| scheme == Scheme::HTTPS);
    let cookie = cookie(token, is_https || auth.secure_cookies);
    Ok((cookies.add(cookie), JsonResponse(answer)))
}

/// The token for the browser: scripts cannot read it, and other sites cannot make the
/// browser send it.
fn cookie(token: String, secure: bool) -> Cookie<'static> {
    Cookie::build((COOKIE, token))
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Strict)
        .max_age(TOKEN_LIFETIME.try_into().expect("some minutes are no overflow"))
        .build()
}

/// Removes the cookie, which no script can do.
///
/// It is the browser that forgets the token. Whoever has copied it can use it until it
/// expires.
async fn logout(_: AllowedOrigin, cookies: CookieJar) -> (StatusCode, CookieJar) {
    (StatusCode::NO_CONTENT, cookies.remove(Cookie::build(COOKIE).path("/")))
}

/// Answers who is signed in, and for how many seconds.
///
/// Why? After a failed upgrade a page knows nothing. Over HTTP it can ask whether the
/// server is there, and whether its token is still valid.
async fn me(CurrentUser { username, expires, .. }: CurrentUser) -> JsonResponse<Value> {
    let expires_in = expires.saturating_duration_since(Instant::now()).as_secs();
    JsonResponse(json!({ "username": username, "expires_in": expires_in }))
}
