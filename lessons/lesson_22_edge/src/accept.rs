//! The accept loop: how many connections may be no WebSocket, and for how long.
//!
//! Why not `axum::serve`? It has no time-outs: whoever sends half a request keeps a
//! connection, and so an open file, for as long as they like.

use std::{env, net::SocketAddr, num::NonZeroU32, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, uri::Scheme},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::debug;

use crate::throttle::throttle;

/// The limits of connections that are no WebSocket (yet). All clones share the same permits.
#[derive(Clone)]
pub struct HttpLimits {
    /// For a TLS handshake, and for the head of a request. It begins with the connection, and
    /// again when a request is answered, and not with the first byte.
    pub header_timeout: Duration,
    /// For a request to be answered, its body included.
    pub request_timeout: Duration,
    /// After this a connection gets no further request, and is cut after one more time-out.
    pub max_age: Duration,
    /// From any connection, also as a WebSocket. What comes faster waits.
    pub bytes_per_second: u64,
    /// One for each connection that is no WebSocket. If none is left, the next connection of
    /// each port waits for one, and all others wait in the kernel.
    pub permits: Arc<Semaphore>,
}

impl HttpLimits {
    /// Reads the numbers from the environment. The error is a sentence for the person who
    /// started the program.
    pub fn from_env() -> Result<Self, String> {
        let seconds = |name, default| number(name, default).map(Duration::from_secs);
        let permits = number("MAX_HTTP_CONNECTIONS", 200)? as usize;
        Ok(Self {
            header_timeout: seconds("HEADER_TIMEOUT", 5)?,
            request_timeout: seconds("REQUEST_TIMEOUT", 10)?,
            max_age: seconds("MAX_CONNECTION_AGE", 60)?,
            bytes_per_second: number("BYTES_PER_SECOND", 128 * 1024)?,
            permits: Arc::new(Semaphore::new(permits)),
        })
    }
}

/// A number from the environment, or `default`.
fn number(name: &str, default: u64) -> Result<u64, String> {
    let Ok(text) = env::var(name) else { return Ok(default) };
    let number = text.trim().parse::<NonZeroU32>().map(|number| number.get().into());
    number.map_err(|_| format!("{name} is {text:?}, but should be a number from 1 on."))
}

/// Serves the application to everybody who connects, with TLS or without.
pub async fn serve(
    mut listener: impl Listener<Addr = SocketAddr>,
    tls: Option<TlsAcceptor>,
    app: Router,
    limits: HttpLimits,
) {
    let app = app.layer(from_fn_with_state(limits.request_timeout, request_timeout));
    loop {
        let (io, address) = listener.accept().await;
        // Why not before `accept`? Two ports share the permits, and one to which nobody comes
        // would keep a permit from the other.
        let permit = limits.permits.clone().acquire_owned().await;
        let io = throttle(io, limits.bytes_per_second);
        let (tls, app, limits) = (tls.clone(), app.clone(), limits.clone());

        // Why is the TLS handshake in the task? It waits for the client, and nobody else
        // could connect meanwhile.
        tokio::spawn(async move {
            let _permit = permit; // Until this task ends.
            let Some(tls) = tls else {
                return serve_connection(io, address, Scheme::HTTP, app, &limits).await;
            };
            match timeout(limits.header_timeout, tls.accept(io)).await {
                Ok(Ok(io)) => {
                    serve_connection(io, address, Scheme::HTTPS, app, &limits).await
                }
                Ok(Err(error)) => debug!(%address, %error, "no TLS"),
                Err(_) => debug!(%address, "the TLS handshake took too long"),
            }
        });
    }
}

/// Answers the requests that come over one connection, until it becomes a WebSocket.
async fn serve_connection(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    scheme: Scheme,
    app: Router,
    limits: &HttpLimits,
) {
    let app = app.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(scheme.clone());
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(app))
        .with_upgrades();
    let mut connection = pin!(connection);

    // A connection that ends in an error is only a connection that ends.
    if timeout(limits.max_age, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(limits.request_timeout, connection).await; // Or it is cut.
    }
}

/// Answers with 408 if the answer takes too long, as it does while a body does not arrive.
///
/// The answer to an upgrade is there at once, so a WebSocket has all the time it wants.
async fn request_timeout(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    let late = (StatusCode::REQUEST_TIMEOUT, "The request took too long.");
    timeout(limit, next.run(request)).await.unwrap_or_else(|_| late.into_response())
}
