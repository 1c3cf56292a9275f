//! The upgrade: every check that a session has to pass, in one extractor.

use axum::{
    extract::{FromRef, FromRequestParts, ws::WebSocketUpgrade},
    http::request::Parts,
    response::Response,
};
use tracing::Instrument;

use super::{
    connection::Session,
    heartbeat::Activity,
    socket::{Disconnect, with_limits},
};
use crate::{
    auth::{AllowedOrigin, Auth, CurrentUser, SUBPROTOCOL},
    error::ApiError,
    limits::{ConnectionLimits, ConnectionPermit, RateLimiter, RateLimits},
    server::Shutdown,
    telemetry::{Connection, Metrics, Socket},
};

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
    metrics: Metrics,
}

impl<S> FromRequestParts<S> for SessionUpgrade
where
    S: Send + Sync,
    Auth: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    RateLimits: FromRef<S>,
    Shutdown: FromRef<S>,
    Metrics: FromRef<S>,
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

        Ok(Self {
            user,
            upgrade,
            permit,
            limiter,
            shutdown: Shutdown::from_ref(state),
            metrics: Metrics::from_ref(state),
        })
    }
}

impl SessionUpgrade {
    /// Upgrades, and then calls `handle` with the session. A connection that is one too many
    /// is closed.
    ///
    /// The connection counts until `handle` is done, and the shutdown waits for it.
    pub fn on_upgrade<F>(
        self,
        kind: Socket,
        activity: Activity,
        handle: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        self.on_any_upgrade(kind, activity, async |session| {
            if session.permit.is_surplus() {
                session.close(&Disconnect::TOO_MANY_CONNECTIONS).await;
            } else {
                handle(session).await;
            }
        })
    }

    /// The same, but `handle` decides what becomes of a connection that is one too many. It
    /// may replace an old one, which is dead perhaps, and still counts.
    pub fn on_any_upgrade<F>(
        self,
        kind: Socket,
        activity: Activity,
        handle: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self { user, upgrade, permit, limiter, shutdown, metrics } = self;
        let tracked = shutdown.track();

        with_limits(upgrade).protocols([SUBPROTOCOL]).on_upgrade(async move |socket| {
            let kept = permit.clone();
            let connection = Connection::new(metrics, kind, &user.username);
            let span = connection.span.clone();
            let session = Session::new(
                socket, user, connection, activity, permit, limiter, shutdown,
            );
            handle(session).instrument(span).await;
            drop((kept, tracked));
        })
    }
}
