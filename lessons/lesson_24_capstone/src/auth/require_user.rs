//! What stands in front of the HTTP API, so that no handler can forget it.

use axum::{
    extract::{FromRef, FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};

use super::{current_user::CurrentUser, origin::AllowedOrigin, state::Auth};
use crate::{error::ApiError, limits::RateLimits};

/// Lets requests pass from people who have signed in, and not from pages of others. Every
/// request counts against the rate of its person.
///
/// Handlers behind it find the [`CurrentUser`] verified already.
pub async fn require_user<S>(
    State(state): State<S>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
    RateLimits: FromRef<S>,
{
    let (mut parts, body) = request.into_parts();
    AllowedOrigin::from_request_parts(&mut parts, &state).await?;
    let user = CurrentUser::from_request_parts(&mut parts, &state).await?;

    let limits = RateLimits::from_ref(&state);
    let limiter = if parts.method.is_safe() { limits.reads } else { limits.changes };
    limiter.check(&user.username)?;

    Ok(next.run(Request::from_parts(parts, body)).await)
}
