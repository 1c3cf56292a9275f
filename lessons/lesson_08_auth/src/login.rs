//! `POST /login`: a name and a password for a token. `GET /me`: who is signed in.

use std::{net::SocketAddr, time::Duration};

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
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    auth::Auth, extract::CurrentUser, protocol::Username, tokens::TOKEN_LIFETIME,
};

/// The longest body of a login, in bytes. Names and passwords are short.
pub const MAX_LOGIN_SIZE: usize = 4 * 1024;

#[derive(Deserialize)]
pub struct Credentials {
    username: String,
    password: String,
}

/// Why somebody got no token.
pub enum LoginError {
    WrongCredentials,
    /// The next one is allowed after this time.
    TooManyAttempts(Duration),
}

impl IntoResponse for LoginError {
    fn into_response(self) -> Response {
        match self {
            // One sentence for both mistakes: it must not tell which names exist.
            Self::WrongCredentials => {
                (StatusCode::UNAUTHORIZED, "Wrong name or password.").into_response()
            }
            Self::TooManyAttempts(wait) => {
                let seconds = wait.as_nanos().div_ceil(1_000_000_000);
                let header = [(RETRY_AFTER, seconds.to_string())];
                let sentence =
                    format!("Too many attempts to sign in. Try again in {seconds} s.");
                (StatusCode::TOO_MANY_REQUESTS, header, sentence).into_response()
            }
        }
    }
}

/// Answers with a token, and leaves a copy in a cookie for the browser.
///
/// Spaces around the name do not matter, nor do capital letters: phones add both.
pub async fn login(
    State(auth): State<Auth>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    cookies: CookieJar,
    Json(Credentials { username, password }): Json<Credentials>,
) -> Result<(CookieJar, Json<Value>), LoginError> {
    let username = Username::try_from(username.trim().to_lowercase())
        .map_err(|_| LoginError::WrongCredentials)?;
    let address = address.ip();

    auth.limits.attempt(&username, address).map_err(LoginError::TooManyAttempts)?;
    if !auth.users.verify_password(&username, password).await {
        return Err(LoginError::WrongCredentials);
    }
    auth.limits.succeeded(&username, address);

    let token = auth.issue(username.clone());
    // Scripts cannot read it, and other sites cannot make the browser send it. Over
    // HTTPS, add `.secure(true)`.
    let cookie = Cookie::build((auth.cookie(), token.clone()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(TOKEN_LIFETIME.try_into().expect("some minutes are no overflow"));
    let expires_in = TOKEN_LIFETIME.as_secs();
    let answer =
        json!({ "token": token, "username": username, "expires_in": expires_in });

    Ok((cookies.add(cookie), Json(answer)))
}

/// Answers who is signed in, and for how many seconds.
///
/// Why? After a failed upgrade a page knows nothing. Over HTTP it can ask whether the
/// server is there, and whether its token is still valid.
pub async fn me(CurrentUser { username, expires }: CurrentUser) -> Json<Value> {
    let expires_in = expires.saturating_duration_since(Instant::now()).as_secs();
    Json(json!({ "username": username, "expires_in": expires_in }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_and_never_to_zero() {
        for (wait, seconds) in [
            (Duration::from_nanos(1), "1"),
            (Duration::from_secs(9), "9"),
            (Duration::from_nanos(9_000_000_001), "10"),
        ] {
            let response = LoginError::TooManyAttempts(wait).into_response();

            assert_eq!(response.headers()[RETRY_AFTER], seconds, "for {wait:?}");
        }
    }
}
