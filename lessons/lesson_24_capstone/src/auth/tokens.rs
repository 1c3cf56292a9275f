//! Tokens: who somebody is, signed by us, for a while.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode,
    errors::ErrorKind, get_current_timestamp,
};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::users::Role;
use crate::{error::ApiError, names::Username};

/// How long a token is valid.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How far the clock of another server with the same secret may be ahead. To us, its tokens are
/// valid for so much longer than ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The shortest secret that we sign with, in bytes (RFC 7518, section 3.2).
const SECRET_SIZE: usize = 32;

/// Who signs our tokens.
const ISSUER: &str = env!("CARGO_PKG_NAME");

/// For whom they are. A token for another service must not be valid here.
const AUDIENCE: &str = "chat";

/// What a token says about somebody (RFC 7519, section 4.1).
#[derive(Deserialize, Serialize)]
struct Claims {
    sub: Username,
    /// What they may do, for as long as the token is valid.
    role: Role,
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

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::unauthorized(match error {
            TokenError::Missing => "Sign in first: a token is missing.",
            TokenError::Expired => "Sign in again: the token has expired.",
            TokenError::Invalid => "Sign in again: this token is not valid.",
        })
    }
}

/// Who a token is about.
pub struct Verified {
    pub username: Username,
    pub role: Role,
    /// How long the token is still valid.
    pub left: Duration,
}

/// Signs tokens, and verifies them. All clones share one secret.
#[derive(Clone)]
pub struct Tokens {
    keys: Arc<(EncodingKey, DecodingKey)>,
}

impl Tokens {
    /// Signs with this secret, or else with a random one that ends with the program.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn new(secret: Option<&[u8]>) -> Result<Self, String> {
        let Some(secret) = secret else {
            warn!("CHAT_JWT_SECRET is not set: tokens are valid until this program ends");
            return Ok(Self::with_secret(&random_secret()?));
        };
        let size = secret.len();
        if size < SECRET_SIZE {
            return Err(format!(
                "CHAT_JWT_SECRET has {size} bytes, but should have {SECRET_SIZE} or more."
            ));
        }
        Ok(Self::with_secret(secret))
    }

    fn with_secret(secret: &[u8]) -> Self {
        let keys = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { keys: Arc::new(keys) }
    }

    /// A token that says for `TOKEN_LIFETIME` who its bearer is, and what they may do.
    pub fn issue(&self, username: Username, role: Role) -> String {
        let claims = Claims {
            sub: username,
            role,
            exp: get_current_timestamp() + TOKEN_LIFETIME.as_secs(),
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.keys.0)
            .expect("a secret can sign any claims")
    }

    /// Who is signed in with this token, as what, and for how long.
    pub fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        // Why so much? By default the library accepts a token for a minute after its
        // end, before its time, and without an issuer or an audience.
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.validate_nbf = true;
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
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
        Ok(Verified { username: token.claims.sub, role: token.claims.role, left })
    }
}

fn random_secret() -> Result<[u8; SECRET_SIZE], String> {
    let mut secret = [0; SECRET_SIZE];
    getrandom::fill(&mut secret)
        .map_err(|error| format!("We have no randomness to sign with: {error}."))?;
    Ok(secret)
}
