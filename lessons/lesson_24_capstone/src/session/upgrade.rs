//! The upgrade: every check that a session has to pass, in one extractor.

use std::time::Duration;

use axum::{
    extract::{
        FromRef, FromRequestParts,
        ws::{WebSocket, WebSocketUpgrade},
    },
    http::request::Parts,
    response::Response,
};
use tokio::time::timeout;

use super::{
    connection::Session,
    heartbeat::Activity,
    socket::{Disconnect, close, with_limits},
};
use crate::{
    auth::{AllowedOrigin, Auth, CurrentUser, SUBPROTOCOL},
    error::ApiError,
    limits::{ConnectionLimits, ConnectionPermit, RateLimiter, RateLimits},
    server::Shutdown,
};

/// How long a client may take to answer a Close that says that its person has too many.
const SURPLUS_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An upgrade that is allowed: of a page of ours, by somebody who has signed in and keeps
/// to the limits.
///
/// Why one extractor? A handler that asks for it cannot forget one of the checks.
pub struct SessionUpgrade {
    user: CurrentUser,
    upgrade: WebSocketUpgrade,
    permit: ConnectionPermit,
    limiter: RateLimiter,
    shutdown: Shutdown,
}

impl<S> FromRequestParts<S> for SessionUpgrade
where
    S: Send + Sync,
    Auth: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    RateLimits: FromRef<S>,
    Shutdown: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        AllowedOrigin::from_request_parts(parts, state).await?;
        let user = CurrentUser::from_request_parts(parts, state).await?;
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await?;

        // Who connects and leaves again and again sends messages to a whole room.
        let limiter = RateLimits::from_ref(state).messages;
        limiter.check_connection(&user.username)?;
        let permit = ConnectionLimits::from_ref(state).acquire(&user.username)?;

        Ok(Self { user, upgrade, permit, limiter, shutdown: Shutdown::from_ref(state) })
    }
}

impl SessionUpgrade {
    /// Upgrades, and then calls `handle` with the session.
    ///
    /// The connection counts until `handle` is done, and the shutdown waits for it.
    pub fn on_upgrade<F>(
        self,
        activity: Activity,
        handle: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self { user, upgrade, permit, limiter, shutdown } = self;
        let tracked = shutdown.track();

        with_limits(upgrade).protocols([SUBPROTOCOL]).on_upgrade(async move |socket| {
            if permit.is_surplus {
                close_surplus(socket).await;
            } else {
                handle(Session::new(socket, user, activity, limiter, shutdown)).await;
            }
            drop((permit, tracked));
        })
    }
}

/// Tells a client that its person has too many connections.
///
/// It does not have long to answer: until it is gone, it counts in the total of all.
async fn close_surplus(socket: WebSocket) {
    let closing = close(socket, &Disconnect::TOO_MANY_CONNECTIONS);
    let _ = timeout(SURPLUS_CLOSE_TIMEOUT, closing).await;
}
