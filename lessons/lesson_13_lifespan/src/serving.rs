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

use crate::{lifespan::Lifespan, limits::Limits, throttle::throttle};

/// How long the last request on a line may take when its time is over, or ours.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Serves the application to whoever comes, until it is time to stop.
///
/// Then the port is closed, and the lines that are open have until the deadline.
pub async fn serve(
    listener: impl Listener,
    app: Router,
    limits: Limits,
    lifespan: Lifespan,
) {
    select! {
        () = take_lines_in(listener, app, limits, &lifespan) => {}
        () = lifespan.stopping() => {}
    }
    match lifespan.finish().await {
        0 => println!("Everybody has left."),
        left => println!("{left} did not leave in time."),
    }
}

async fn take_lines_in(
    mut listener: impl Listener,
    app: Router,
    limits: Limits,
    lifespan: &Lifespan,
) {
    let lines = Arc::new(Semaphore::new(limits.open_lines));

    loop {
        let place = lines.clone().acquire_owned().await;
        let (line, _) = listener.accept().await;
        let (app, lifespan, busy) = (app.clone(), lifespan.clone(), lifespan.busy());

        tokio::spawn(async move {
            serve_line(line, app, limits, lifespan).await;
            drop((place, busy));
        });
    }
}

/// Answers the requests that come over one line, until it becomes a WebSocket.
async fn serve_line(
    line: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    limits: Limits,
    lifespan: Lifespan,
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
        () = sleep(limits.line) => {}
        () = lifespan.stopping() => {}
    }
    requests.as_mut().graceful_shutdown();

    // A request in progress may still be answered, but not at its leisure.
    let _ = timeout(LAST_CHANCE, requests).await;
}
