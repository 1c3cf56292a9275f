//! The door: it takes lines in, and gives each of them only so long, and so many bytes.
//!
//! `axum::serve` waits for a request for ever, so somebody who opens many lines and says
//! nothing could keep everybody else out.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
use hyper::server::conn::http1;
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

use crate::{limits::Limits, throttle::throttle};

/// How long the last request on a line may take when the line's time is over.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Serves the application to whoever comes. It never returns.
pub async fn serve(mut listener: impl Listener, app: Router, limits: Limits) {
    let lines = Arc::new(Semaphore::new(limits.open_lines));

    loop {
        let place = lines.clone().acquire_owned().await;
        let (line, _) = listener.accept().await;
        let app = app.clone();

        tokio::spawn(async move {
            serve_line(line, app, limits).await;
            drop(place);
        });
    }
}

/// Answers the requests that come over one line, until it becomes a WebSocket.
async fn serve_line(
    line: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    limits: Limits,
) {
    let line = TokioIo::new(throttle(line, limits.bytes_per_second()));
    let requests = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_head)
        .serve_connection(line, TowerToHyperService::new(app))
        .with_upgrades();
    let mut requests = pin!(requests);

    // A line that ends in an error is only a line that ends.
    select! {
        _ = &mut requests => return,
        () = sleep(limits.line) => requests.as_mut().graceful_shutdown(),
    }

    // A request in progress may still be answered, but not at its leisure.
    let _ = timeout(LAST_CHANCE, requests).await;
}
