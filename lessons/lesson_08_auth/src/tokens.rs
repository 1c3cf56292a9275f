//! Tokens: who somebody is, signed by us, for a while.

use std::{env, fmt, sync::Arc, time::Duration};

use axum::{
    http::{StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode,
    errors::ErrorKind, get_current_timestamp,
};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::protocol::Username;

/// How long a token is valid.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How far the clock of another server with the same secret may be ahead. To us, its tokens are
/// valid for so much longer than ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The shortest secret that we sign with, in bytes (RFC 7518, section 3.2).
const SECRET_SIZE: usize = 32;

/// Who signs our tokens: this library, whichever program it is a part of.
const ISSUER: &str = env!("CARGO_PKG_NAME");

/// What a token says about somebody (RFC 7519, section 4.1).
#[derive(Deserialize, Serialize)]
struct Claims {
    sub: Username,
    /// When it ends, in seconds since 1970.
    exp: u64,
    iss: String,
    aud: String,
}

/// Why somebody does not count as signed in.
pub enum TokenError {
    Missing,
    Expired,
    Invalid,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Sign in first: a token is missing.",
            Self::Expired => "Sign in again: the token has expired.",
            Self::Invalid => "Sign in again: this token is not valid.",
        })
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        // The header tells which kind of token is missing (RFC 6750, section 3).
        let headers = [(WWW_AUTHENTICATE, "Bearer")];
        (StatusCode::UNAUTHORIZED, headers, self.to_string()).into_response()
    }
}

/// Signs tokens, and verifies them. All clones share one secret.
#[derive(Clone)]
pub struct Tokens {
    keys: Arc<(EncodingKey, DecodingKey)>,
    /// For whom the tokens are. One for another program must not be valid here.
    pub audience: &'static str,
}

impl Tokens {
    /// Signs with `JWT_SECRET`, or else with a random secret that ends with the program.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env(audience: &'static str) -> Result<Self, String> {
        if let Some(secret) = env::var_os("JWT_SECRET") {
            return Self::new(secret.as_encoded_bytes(), audience);
        }
        warn!("JWT_SECRET is not set: tokens are valid until this program ends");
        let mut secret = [0; SECRET_SIZE];
        getrandom::fill(&mut secret)
            .map_err(|error| format!("We have no randomness to sign with: {error}."))?;
        Self::new(&secret, audience)
    }

    pub fn new(secret: &[u8], audience: &'static str) -> Result<Self, String> {
        let size = secret.len();
        if size < SECRET_SIZE {
            return Err(format!(
                "JWT_SECRET has {size} bytes, but should have {SECRET_SIZE} or more."
            ));
        }
        let keys = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Ok(Self { keys: Arc::new(keys), audience })
    }

    /// A token that says for `TOKEN_LIFETIME` that its bearer is this user.
    pub fn issue(&self, username: Username) -> String {
        let claims = Claims {
            sub: username,
            exp: get_current_timestamp() + TOKEN_LIFETIME.as_secs(),
            iss: ISSUER.into(),
            aud: self.audience.into(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.keys.0)
            .expect("a secret can sign any claims")
    }

    /// Who is signed in with this token, and how long it is still valid.
    pub fn verify(&self, token: &str) -> Result<(Username, Duration), TokenError> {
        // Why so much? By default the library accepts a token for a minute after its
        // end, before its time, and without an issuer or an audience.
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.validate_nbf = true;
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);

        let token = decode::<Claims>(token, &self.keys.1, &rules);
        let token = token.map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            _ => TokenError::Invalid,
        })?;
        let seconds = token.claims.exp.saturating_sub(get_current_timestamp());
        let left = Duration::from_secs(seconds);
        // Nobody signs a token that lasts longer (an `exp` in milliseconds would for 50,000
        // years), and none with a critical extension (RFC 7515, section 4.1.11).
        if left > TOKEN_LIFETIME + CLOCK_SKEW || token.header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        Ok((token.claims.sub, left))
    }
}
