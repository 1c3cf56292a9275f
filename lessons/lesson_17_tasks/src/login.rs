//! `POST /login`: a name and a password for a token.

use axum::{Json, extract::State, http::StatusCode};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    Chat,
    guards::{COOKIE, Guest},
    protocol::Username,
    tokens::TOKEN_LIFETIME,
};

#[derive(Deserialize)]
pub struct Credentials {
    username: String,
    password: String,
}

#[derive(Serialize)]
pub struct SignedIn {
    token: String,
    username: Username,
    /// In seconds.
    expires_in: u64,
}

/// Answers with a token, and leaves a copy in a cookie for the browser.
pub async fn log_in(
    State(chat): State<Chat>,
    cookies: CookieJar,
    Json(Credentials { username, password }): Json<Credentials>,
) -> Result<(CookieJar, Json<SignedIn>), (StatusCode, &'static str)> {
    // One sentence for both mistakes: it must not tell which names exist.
    let wrong = (StatusCode::UNAUTHORIZED, "Wrong name or password.");
    if !chat.accounts.password_fits(&username, password).await {
        return Err(wrong);
    }
    let username = Username::try_from(username).map_err(|_| wrong)?;

    let token = chat.tokens.issue(username.clone());
    // Scripts cannot read it, and other sites cannot make the browser send it. Over
    // HTTPS, add `.secure(true)`.
    let cookie = Cookie::build((COOKIE, token.clone()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(TOKEN_LIFETIME.try_into().expect("some minutes are no overflow"));
    let expires_in = TOKEN_LIFETIME.as_secs();

    Ok((cookies.add(cookie), Json(SignedIn { token, username, expires_in })))
}

#[derive(Serialize)]
pub struct Me {
    username: Username,
    /// In seconds.
    expires_in: u64,
}

/// Answers who is signed in. After a failed upgrade a page can find out why.
pub async fn me(guest: Guest) -> Json<Me> {
    let left = guest.expires.saturating_duration_since(Instant::now());
    Json(Me { username: guest.username, expires_in: left.as_secs() })
}
