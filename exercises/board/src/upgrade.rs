//! What is decided before a WebSocket opens: from where one may connect, and how many may.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts, WebSocketUpgrade},
    http::{
        StatusCode,
        header::{HOST, ORIGIN},
        request::Parts,
        uri::Authority,
    },
    response::{IntoResponse, Response},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    class::{MAX_LEARNERS, MAX_PAGES},
    connection::Connection,
    socket::with_limits,
};

/// How many connections there may be: all learners and pages, and some more, because an old
/// connection may still count when its client is back.
pub const MAX_CONNECTIONS: usize = 2 * MAX_LEARNERS + MAX_PAGES;

/// How many connections there are. All clones count together.
#[derive(Clone)]
pub struct ConnectionLimit(Arc<Semaphore>);

impl Default for ConnectionLimit {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_CONNECTIONS)))
    }
}

/// A request for a WebSocket for which there is room.
pub struct Upgrade {
    upgrade: WebSocketUpgrade,
    permit: OwnedSemaphorePermit,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade
where
    ConnectionLimit: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(IntoResponse::into_response)?;
        let ConnectionLimit(permits) = ConnectionLimit::from_ref(state);
        let Ok(permit) = permits.try_acquire_owned() else {
            let sentence = "The board has too many connections. Try again later.";
            return Err((StatusCode::SERVICE_UNAVAILABLE, sentence).into_response());
        };
        Ok(Self { upgrade, permit })
    }
}

impl Upgrade {
    /// Opens the WebSocket. The connection counts until `handle` has returned.
    pub fn on_upgrade<F>(
        self,
        handle: impl FnOnce(Connection) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { upgrade, permit } = self;
        with_limits(upgrade).on_upgrade(|socket| async {
            handle(Connection::new(socket)).await;
            drop(permit);
        })
    }
}

/// A request that no page sends. No page is a learner: a page of a stranger must not fill
/// the board from the browser of somebody in this network.
pub struct NoOrigin;

impl<S: Sync> FromRequestParts<S> for NoOrigin {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        match parts.headers.get(ORIGIN) {
            None => Ok(Self),
            Some(_) => Err((StatusCode::FORBIDDEN, "A page cannot be a learner.")),
        }
    }
}

/// A request from our own page, or from no page at all.
pub struct AllowedOrigin;

impl<S: Sync> FromRequestParts<S> for AllowedOrigin {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        let header = |name| Some(parts.headers.get(name)?.to_str().unwrap_or_default());
        let Some(origin) = header(ORIGIN) else { return Ok(Self) };
        let host = header(HOST).filter(|host| is_local(host));

        if host.is_some_and(|host| origin == format!("http://{host}")) {
            Ok(Self)
        } else {
            let sentence = "Only the board's own page may connect. Open it by the IP address \
                            of this machine.";
            Err((StatusCode::FORBIDDEN, sentence))
        }
    }
}

/// An IP address, a name without a dot, or one that ends with `.local`.
///
/// Why not every host? The owner of a name in the DNS can let it point to this machine, and
/// their page would then have the origin that is named after our host (DNS rebinding).
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let is_ip = name.parse::<std::net::Ipv4Addr>().is_ok() || name.starts_with('[');
    is_ip || !name.contains('.') || name.ends_with(".local")
}
