//! What is decided before a WebSocket opens: from where one may connect, and how many may.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    http::{
        StatusCode,
        header::{HOST, ORIGIN},
        request::Parts,
        uri::Authority,
    },
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::{
    class::{MAX_LEARNERS, MAX_PAGES},
    connection::Connection,
    socket::with_limits,
};

/// How many connections of one kind there may be, for each that may stay: an old connection
/// may still count when its client is back.
const ROOM: usize = 2;

/// Each kind of clients has a limit of its own. With one for both, whoever opens connections
/// as a learner would keep the teacher's page out.
#[derive(Clone)]
pub struct Limits {
    pub learners: ConnectionLimit,
    pub pages: ConnectionLimit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            learners: ConnectionLimit::new(ROOM * MAX_LEARNERS),
            pages: ConnectionLimit::new(ROOM * MAX_PAGES),
        }
    }
}

/// How many more connections there may be. All clones count together.
#[derive(Clone)]
pub struct ConnectionLimit(Arc<Semaphore>);

impl ConnectionLimit {
    fn new(connections: usize) -> Self {
        Self(Arc::new(Semaphore::new(connections)))
    }

    /// Opens the WebSocket if there is room. The connection counts until `handle` has
    /// returned.
    pub fn on_upgrade<F>(
        self,
        upgrade: WebSocketUpgrade,
        handle: impl FnOnce(Connection) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(permit) = self.0.try_acquire_owned() else {
            let sentence = "The board has too many connections. Try again later.";
            return (StatusCode::SERVICE_UNAVAILABLE, sentence).into_response();
        };
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
