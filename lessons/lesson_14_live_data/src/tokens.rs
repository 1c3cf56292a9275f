//! Tokens: who somebody is, signed by us, for a while.

use std::{
    env::{self, VarError},
    sync::Arc,
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode,
    errors::ErrorKind, get_current_timestamp,
};
use serde::{Deserialize, Serialize};

use crate::protocol::Username;

/// How long a token is good for.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The shortest secret that we sign with, in bytes (RFC 7518, section 3.2).
const SECRET_SIZE: usize = 32;

/// Who signs, and for whom. A token for another service must not open our doors.
pub const ISSUER: &str = "lesson_14_live_data";
pub const AUDIENCE: &str = "lesson_14_chat";

/// What a token says.
#[derive(Debug, Deserialize, Serialize)]
pub struct Claims {
    sub: Username,
    /// When it ends, in seconds since 1970.
    exp: u64,
    iss: String,
    aud: String,
}

/// Why a token does not open the door.
#[derive(Debug, PartialEq)]
pub enum Problem {
    Expired,
    NotOurs,
}

/// Signs tokens, and knows its own again.
#[derive(Clone)]
pub struct Tokens {
    keys: Arc<(EncodingKey, DecodingKey)>,
}

impl Tokens {
    /// Signs with `JWT_SECRET`, or else with a random secret that ends with the program.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        match env::var("JWT_SECRET") {
            Ok(secret) => Self::from_secret(&secret),
            Err(VarError::NotUnicode(_)) => Err("JWT_SECRET should be text.".into()),
            Err(VarError::NotPresent) => {
                println!("JWT_SECRET is not set, so tokens end with this program.");
                let mut secret = [0; SECRET_SIZE];
                getrandom::fill(&mut secret).map_err(|error| {
                    format!("We have no randomness to sign with: {error}.")
                })?;
                Ok(Self::new(&secret))
            }
        }
    }

    pub fn from_secret(secret: &str) -> Result<Self, String> {
        let size = secret.len();
        if size < SECRET_SIZE {
            Err(format!(
                "JWT_SECRET has {size} bytes, but should have {SECRET_SIZE} or more."
            ))
        } else {
            Ok(Self::new(secret.as_bytes()))
        }
    }

    pub fn new(secret: &[u8]) -> Self {
        let keys = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { keys: Arc::new(keys) }
    }

    pub fn issue(&self, username: Username) -> String {
        let claims = Claims {
            sub: username,
            exp: get_current_timestamp() + TOKEN_LIFETIME.as_secs(),
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.keys.0)
            .expect("a secret can sign any claims")
    }

    /// Who the token speaks of, and how long it is still good for.
    pub fn verify(&self, token: &str) -> Result<(Username, Duration), Problem> {
        // Why so much? By default the library accepts a token for a minute after its
        // end, before its time, and without an issuer or an audience.
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.validate_nbf = true;
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);

        let token =
            decode::<Claims>(token, &self.keys.1, &rules).map_err(|error| match error
                .kind()
            {
                ErrorKind::ExpiredSignature => Problem::Expired,
                _ => Problem::NotOurs,
            })?;

        let left = token.claims.exp.saturating_sub(get_current_timestamp());
        let left = Duration::from_secs(left);
        // We sign no token that lasts longer, and none with demands (RFC 7515, section
        // 4.1.11). An `exp` in milliseconds would last for 50,000 years.
        if left > TOKEN_LIFETIME || token.header.crit.is_some() {
            return Err(Problem::NotOurs);
        }
        Ok((token.claims.sub, left))
    }
}
