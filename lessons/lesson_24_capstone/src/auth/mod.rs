//! Signing in: who somebody is, for the HTTP API and for sockets alike.

mod allowed_origins;
mod current_user;
mod login;
mod login_limits;
mod origin;
mod require_user;
mod state;
mod tokens;
mod users;

pub use self::{
    current_user::{CurrentUser, SUBPROTOCOL},
    login::routes,
    origin::AllowedOrigin,
    require_user::require_user,
    state::Auth,
    users::Role,
};
