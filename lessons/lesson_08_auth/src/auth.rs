//! Signing in, as one part of a program: what it shares, and its routes.

use std::env;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    routing::{get, post},
};

use crate::{
    extract::AllowedOrigins,
    login::{MAX_LOGIN_SIZE, login, me},
    login_limits::LoginLimits,
    protocol::Username,
    tokens::Tokens,
    users::Users,
};

/// All that signing in needs: tokens, users, limits for guesses, and allowed origins.
///
/// It is only a handle: clone it freely. All clones share the same secret and the same
/// limits. A state that holds one has [`auth_routes`], and handlers of that state may ask
/// for a [`SessionUpgrade`](crate::SessionUpgrade).
#[derive(Clone)]
pub struct Auth {
    pub(crate) tokens: Tokens,
    pub(crate) users: Users,
    pub(crate) limits: LoginLimits,
    pub(crate) origins: AllowedOrigins,
}

impl Auth {
    /// Reads `JWT_SECRET` (or makes up a secret that ends with the program) and
    /// `ALLOWED_ORIGINS`.
    ///
    /// `audience` is the program whose tokens these are: `env!("CARGO_PKG_NAME")`. A token
    /// for another one is not valid here. The error is a sentence for the person who started
    /// the program.
    pub fn from_env(audience: &'static str) -> Result<Self, String> {
        let origins = env::var_os("ALLOWED_ORIGINS").unwrap_or_default();
        Self::with(Tokens::from_env(audience)?).allow_origins(&origins.to_string_lossy())
    }

    /// Signs with this secret, and allows the program's own pages only.
    ///
    /// The secret needs 32 bytes or more (RFC 7518, section 3.2). The error says so.
    pub fn new(secret: &[u8], audience: &'static str) -> Result<Self, String> {
        Tokens::new(secret, audience).map(Self::with)
    }

    fn with(tokens: Tokens) -> Self {
        let (limits, origins) = (LoginLimits::default(), AllowedOrigins::default());
        Self { tokens, users: Users::default(), limits, origins }
    }

    /// Lets the pages of these origins connect, beside our own: whole origins with commas
    /// between them.
    ///
    /// The error is a sentence that names the entry which no browser would send.
    pub fn allow_origins(self, list: &str) -> Result<Self, String> {
        Ok(Self { origins: AllowedOrigins::parse(list)?, ..self })
    }

    /// A token that says for 15 minutes that its bearer is this user.
    ///
    /// It asks for no password, so a test can sign anybody in.
    pub fn issue(&self, username: Username) -> String {
        self.tokens.issue(username)
    }

    /// The cookie that carries the token. Cookies do not tell ports apart, so its name tells
    /// this program's cookie from that of another one on this machine.
    pub(crate) fn cookie(&self) -> String {
        format!("{}_token", self.tokens.audience)
    }
}

/// `POST /login` and `GET /me`, for a program whose state holds an [`Auth`].
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: attempts to sign in
/// are counted by the client's address, and without one, `POST /login` answers 500.
pub fn auth_routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
{
    Router::new()
        .route("/login", post(login).layer(DefaultBodyLimit::max(MAX_LOGIN_SIZE)))
        .route("/me", get(me))
}
