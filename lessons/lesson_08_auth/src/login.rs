//! `POST /login`: a name and a password for a token. `GET /me`: who is signed in.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    extract::{COOKIE, CurrentUser},
    login_limits::{LoginLimits, TooManyGuesses},
    protocol::Username,
    tokens::{TOKEN_LIFETIME, Tokens},
    users::Users,
};

/// The longest body of a login, in bytes. Names and passwords are short.
pub const LOGIN_LIMIT: usize = 4 * 1024;

#[derive(Deserialize)]
pub struct Credentials {
    username: String,
    password: String,
}

#[derive(Serialize)]
pub struct LoginResponse {
    token: String,
    username: Username,
    /// In seconds.
    expires_in: u64,
}

/// Why somebody got no token.
pub enum LoginError {
    WrongCredentials,
    TooManyGuesses(TooManyGuesses),
}

impl IntoResponse for LoginError {
    fn into_response(self) -> Response {
        match self {
            // One sentence for both mistakes: it must not tell which names exist.
            Self::WrongCredentials => {
                (StatusCode::UNAUTHORIZED, "Wrong name or password.").into_response()
            }
            Self::TooManyGuesses(TooManyGuesses { wait }) => {
                let seconds = wait.as_millis().div_ceil(1_000);
                let header = [(RETRY_AFTER, seconds.to_string())];
                let sentence =
                    format!("Too many wrong passwords. Try again in {seconds} seconds.");
                (StatusCode::TOO_MANY_REQUESTS, header, sentence).into_response()
            }
        }
    }
}

/// Answers with a token, and leaves a copy in a cookie for the browser.
///
/// Blanks around the name do not matter, nor do capital letters: phones add both.
pub async fn login(
    State(users): State<Users>,
    State(tokens): State<Tokens>,
    State(limits): State<LoginLimits>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    cookies: CookieJar,
    Json(Credentials { username, password }): Json<Credentials>,
) -> Result<(CookieJar, Json<LoginResponse>), LoginError> {
    let username = Username::try_from(username.trim().to_lowercase())
        .map_err(|_| LoginError::WrongCredentials)?;

    let guess =
        limits.guess(&username, address.ip()).map_err(LoginError::TooManyGuesses)?;
    if !users.verify_password(&username, password).await {
        return Err(LoginError::WrongCredentials);
    }
    guess.was_right();

    let token = tokens.issue(username.clone());
    // Scripts cannot read it, and other sites cannot make the browser send it. Over
    // HTTPS, add `.secure(true)`.
    let cookie = Cookie::build((COOKIE, token.clone()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(TOKEN_LIFETIME.try_into().expect("some minutes are no overflow"));
    let expires_in = TOKEN_LIFETIME.as_secs();

    Ok((cookies.add(cookie), Json(LoginResponse { token, username, expires_in })))
}

#[derive(Serialize)]
pub struct Me {
    username: Username,
    /// In seconds.
    expires_in: u64,
}

/// Answers who is signed in.
///
/// Why? After a failed upgrade a page knows nothing. Over HTTP it can ask whether the
/// server is there, and whether its token is still valid.
pub async fn me(user: CurrentUser) -> Json<Me> {
    let left = user.expires.saturating_duration_since(Instant::now());
    Json(Me { username: user.username, expires_in: left.as_secs() })
}
