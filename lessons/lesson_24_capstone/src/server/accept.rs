//! The accept loop: each connection has only so much time, and so many bytes a second.
//!
//! Why not `axum::serve`? It waits for a request for ever, so somebody who opens many
//! connections and sends nothing could keep everybody else out.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, Request, StatusCode, header::CONNECTION},
    response::Response,
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tower::ServiceExt;
use tracing::{info, warn};

use super::{
    body_deadline::WithDeadline, forwarded::behind_proxies, shutdown::Shutdown,
    throttle::throttle,
};
use crate::config::Config;

/// How long the last request of a connection may take when its time is over, or ours.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the application until the shutdown begins.
///
/// Then the port is closed, and clients have until the deadline to leave. Returns how
/// many have not.
pub async fn serve(
    listener: impl Listener<Addr = SocketAddr>,
    app: Router,
    config: Arc<Config>,
    shutdown: Shutdown,
) -> usize {
    let app = behind_proxies(app, &config);
    select! {
        () = accept_connections(listener, app, config.clone(), &shutdown) => {}
        () = shutdown.stopping() => {}
    }
    let left = shutdown.finish(config.shutdown_timeout).await;
    match left {
        0 => info!("all clients have left"),
        _ => warn!(left, "some clients did not leave in time"),
    }
    left
}

async fn accept_connections(
    mut listener: impl Listener<Addr = SocketAddr>,
    app: Router,
    config: Arc<Config>,
    shutdown: &Shutdown,
) {
    let max = config.max_http_connections.get();
    let permits = Arc::new(Semaphore::new(max));

    loop {
        let permit = permits.clone().acquire_owned().await;
        let (io, address) = listener.accept().await;
        // If few permits are left, others wait for this one: so one request is enough.
        let keep_alive = permits.available_permits() >= max / 2;
        let (app, config) = (app.clone(), config.clone());
        let (shutdown, tracked) = (shutdown.clone(), shutdown.track());

        tokio::spawn(async move {
            serve_connection(io, address, app, keep_alive, &config, &shutdown).await;
            drop((permit, tracked));
        });
    }
}

/// Answers the requests that come over one connection, until it becomes a WebSocket.
async fn serve_connection(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    app: Router,
    keep_alive: bool,
    config: &Config,
    shutdown: &Shutdown,
) {
    let body_timeout = config.body_timeout;
    let app = app
        .map_request(move |request| prepared(request, address, body_timeout))
        .map_response(move |response| finished(response, keep_alive));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .serve_connection(
            TokioIo::new(throttle(io, config.bytes_per_second())),
            TowerToHyperService::new(app),
        )
        .with_upgrades();
    let mut connection = pin!(connection);

    // A connection that ends in an error is only a connection that ends.
    select! {
        _ = &mut connection => return,
        () = sleep(config.max_connection_age) => {}
        () = shutdown.stopping() => {}
    }
    connection.as_mut().graceful_shutdown();

    // The answer to a request in progress may still be sent, for a while.
    let _ = timeout(LAST_REQUEST_TIMEOUT, connection).await;
}

/// A request that knows where it comes from, and whose body has a deadline.
fn prepared(
    request: Request<Incoming>,
    address: SocketAddr,
    body_timeout: Duration,
) -> Request<WithDeadline<Incoming>> {
    let mut request = request.map(|body| WithDeadline::new(body, body_timeout));
    request.extensions_mut().insert(ConnectInfo(address));
    request
}

/// A response, after which hyper closes the connection if it may not be kept.
fn finished(mut response: Response, keep_alive: bool) -> Response {
    if !keep_alive && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
