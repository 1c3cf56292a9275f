//! What signing in needs, in one handle.

use super::{
    allowed_origins::AllowedOrigins, login_limits::LoginLimits, tokens::Tokens,
    users::Users,
};
use crate::config::Config;
#[cfg(test)]
use {super::users::Role, crate::names::Username};

/// Everything that says who somebody is. All clones share it.
#[derive(Clone)]
pub struct Auth {
    pub(super) tokens: Tokens,
    pub(super) users: Users,
    pub(super) limits: LoginLimits,
    pub(super) origins: AllowedOrigins,
    /// Whether browsers send our cookie over HTTPS only.
    pub(super) secure_cookies: bool,
}

impl Auth {
    /// The error is a sentence for the person who started the program.
    pub fn new(config: &Config) -> Result<Self, String> {
        Ok(Self {
            tokens: Tokens::new(config.jwt_secret.as_deref().map(str::as_bytes))?,
            users: Users::new()?,
            limits: LoginLimits::default(),
            origins: AllowedOrigins::parse(&config.allowed_origins)?,
            secure_cookies: config.secure_cookies,
        })
    }

    /// Adds somebody who gets tokens from `issue` alone.
    #[cfg(test)]
    pub fn add(&mut self, username: Username) {
        self.users.add(username);
    }

    /// A token for this person, without a password.
    #[cfg(test)]
    pub fn issue(&self, username: Username) -> String {
        let role = self.users.role(&username).unwrap_or(Role::User);
        self.tokens.issue(username, role)
    }
}
