//! X-ray: what a page's script cannot see of its own WebSockets.
//!
//! The listener passes on what its connections read and write. A viewer, which is a page
//! with a WebSocket at `/lab/xray`, gets a row for each handshake, each frame and each end.
//!
//! Who sees what? A page makes a random token and keeps it in a cookie. Its viewer gets the
//! connections whose handshake had the same token, and no others. This exists in debug
//! builds alone, and only while all listeners of the program are on loopback.

mod cookie;
mod frames;
mod http;
mod hub;
mod listener;
mod row;
mod tap;

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{
        State,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    http::{HeaderMap, StatusCode, header::COOKIE},
    response::{IntoResponse, Response},
    routing::any,
};
use tokio::{net::TcpListener, select, time::sleep};

use self::hub::{Hub, Viewer};
pub use self::listener::TappedListener;
use crate::lab;

/// Viewers get one message in this time at most, with all rows that have come meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Viewers have nothing to say. So this is the longest message we accept, in bytes.
const MESSAGE_LIMIT: usize = 1024;

/// What the listeners of the program share with its router.
static XRAY: LazyLock<Xray> = LazyLock::new(Xray::new);

/// Passes on what the connections of a listener read and write, if it is on loopback.
pub fn tap(listener: TcpListener) -> TappedListener {
    XRAY.tap(listener)
}

/// Whether there are connections to look at.
pub fn is_on() -> bool {
    XRAY.is_on()
}

/// Serves the viewers. `origins` are those whose pages may ask, beside our own and local ones.
pub fn router<S: Clone + Send + Sync + 'static>(origins: &str) -> Router<S> {
    XRAY.router(origins)
}

/// What the program prints at its start.
pub fn welcome(addr: SocketAddr) -> String {
    format!(
        "X-ray is on: http://{addr}/lab.html shows the frames of your own browser, and of \
         nobody else's."
    )
}

/// This is only a handle: clone it freely.
#[derive(Clone)]
struct Xray {
    hub: Hub,
    /// Whether all listeners are on loopback. There may be none yet.
    on_loopback: Arc<Mutex<Option<bool>>>,
}

impl Xray {
    fn new() -> Self {
        Self { hub: Hub::new(), on_loopback: Arc::default() }
    }

    fn tap(&self, listener: TcpListener) -> TappedListener {
        let addr = listener.local_addr();
        let is_loopback = addr.is_ok_and(|addr| addr.ip().is_loopback());
        let mut on_loopback =
            self.on_loopback.lock().unwrap_or_else(PoisonError::into_inner);
        // A single listener that others can reach is enough to end it.
        *on_loopback = Some(on_loopback.unwrap_or(true) && is_loopback);

        TappedListener { listener, hub: is_loopback.then(|| self.hub.clone()) }
    }

    fn is_on(&self) -> bool {
        let on_loopback = self.on_loopback.lock().unwrap_or_else(PoisonError::into_inner);
        *on_loopback == Some(true)
    }

    fn router<S: Clone + Send + Sync + 'static>(&self, origins: &str) -> Router<S> {
        let origins = lab::listed(origins, true).into();
        Router::new()
            .route("/lab/xray", any(ws_handler))
            .with_state(Viewing { xray: self.clone(), origins })
    }
}

/// What somebody gets who may not look.
type Rejection = (StatusCode, &'static str);

#[derive(Clone)]
struct Viewing {
    xray: Xray,
    /// The origins whose pages may look, beside our own.
    origins: Arc<[String]>,
}

impl Viewing {
    fn admit(&self, headers: &HeaderMap) -> Result<Viewer, Rejection> {
        if !self.xray.is_on() {
            return Err((StatusCode::NOT_FOUND, "Nothing is served at /lab/xray."));
        }
        lab::allowed_origin(headers, &self.origins, true)?;

        let cookies = headers.get_all(COOKIE).iter();
        let cookies: Vec<_> =
            cookies.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let mark = cookie::mark(cookies.iter().map(|cookie| &**cookie)).ok_or((
            StatusCode::BAD_REQUEST,
            "X-ray shows the connections that have the same cookie as you. Set it first: \
             xray=<32 hexadecimal digits>.",
        ))?;
        self.xray.hub.watch(mark.token).ok_or((
            StatusCode::SERVICE_UNAVAILABLE,
            "Other browsers have as many viewers as there may be. Close one first.",
        ))
    }
}

async fn ws_handler(
    State(viewing): State<Viewing>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Rejection> {
    let viewer = viewing.admit(&headers)?;
    let program = viewing.xray.hub.program;
    Ok(match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(MESSAGE_LIMIT)
            .max_frame_size(MESSAGE_LIMIT)
            .on_upgrade(move |socket| show(socket, viewer, program)),
        Err(rejection) => rejection.into_response(),
    })
}

/// Sends the rows of a viewer, until it leaves.
async fn show(mut socket: WebSocket, mut viewer: Viewer, program: u64) {
    let first = Message::text(format!("[{}]", row::program(program)));
    if socket.send(first).await.is_err() {
        return;
    }
    loop {
        select! {
            received = socket.recv() => {
                let Some(Ok(_)) = received else { break }; // It left.
            }
            rows = viewer.rows() => {
                let Some(rows) = rows else {
                    // 1008: connecting again would take the place of the next one.
                    let (code, reason) = (close_code::POLICY, "Too many viewers.".into());
                    let close = Message::Close(Some(CloseFrame { code, reason }));
                    let _ = socket.send(close).await; // Or it has gone already.
                    break;
                };
                let rows: Vec<_> = rows.iter().map(|row| row.json()).collect();
                // If the viewer does not read, this waits, and its queue has an end.
                let message = Message::text(format!("[{}]", rows.join(",")));
                if socket.send(message).await.is_err() {
                    break;
                }
                sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
