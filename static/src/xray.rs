//! X-ray: what a page's script cannot see of its own WebSockets.
//!
//! The listener reports what its connections read and write. A viewer, which is a page
//! with a WebSocket at `/lab/xray`, gets a row for each handshake, each frame and each end.
//!
//! Who sees what? A page makes a random token and keeps it in a cookie. Its viewer gets the
//! connections whose handshake had the same token, and no others. This exists in debug
//! builds alone, and only while all listeners of the program are on loopback.

mod answer;
mod cookie;
mod frames;
mod http;
mod hub;
mod listener;
mod row;
mod tap;

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
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

pub use self::listener::TappedListener;
use self::{
    cookie::XrayCookie,
    hub::{Hub, Viewer},
};
use crate::lab;

/// Where viewers connect. Their own connections are not shown: they would make rows about
/// their own rows.
const PATH: &str = "/lab/xray";

/// Viewers get one message in this time at most, with the rows that have come meanwhile.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(25);

/// Viewers send nothing. So this is the longest message that we accept, in bytes.
const MAX_MESSAGE_SIZE: usize = 1024;

/// What the listeners of the program share with its router.
static HUB: LazyLock<Hub> = LazyLock::new(Hub::new);

/// Reports what the connections of a listener read and write, if it is on loopback.
pub fn tap(listener: TcpListener) -> TappedListener {
    TappedListener::new(listener, &HUB)
}

/// Whether viewers are accepted.
pub fn is_on() -> bool {
    HUB.is_on()
}

/// Serves the viewers. `origins` are those whose pages may connect, beside our own and local
/// ones.
pub fn router<S: Clone + Send + Sync + 'static>(origins: &str) -> Router<S> {
    router_of(HUB.clone(), origins)
}

/// What the program prints at its start.
pub fn welcome(addr: SocketAddr) -> String {
    format!(
        "X-ray is on: http://{addr}/lab.html shows the frames of your own browser, and of \
         nobody else's."
    )
}

fn router_of<S: Clone + Send + Sync + 'static>(hub: Hub, origins: &str) -> Router<S> {
    let origins = lab::listed(origins, true).into();
    Router::new().route(PATH, any(ws_handler)).with_state(ViewerState { hub, origins })
}

/// What a viewer gets that is not accepted.
type Rejection = (StatusCode, &'static str);

/// What the handler of the viewers needs.
#[derive(Clone)]
struct ViewerState {
    hub: Hub,
    /// The origins whose pages may connect, beside our own.
    origins: Arc<[String]>,
}

impl ViewerState {
    /// A viewer for the token of a request, if there may be one.
    fn admit(&self, headers: &HeaderMap) -> Result<Viewer, Rejection> {
        if !self.hub.is_on() {
            return Err((StatusCode::NOT_FOUND, "Nothing is served at /lab/xray."));
        }
        lab::allowed_origin(headers, &self.origins, true)?;

        let cookies = headers.get_all(COOKIE).iter();
        let cookies: Vec<_> =
            cookies.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let cookie = XrayCookie::find(cookies.iter().map(|cookie| &**cookie)).ok_or((
            StatusCode::BAD_REQUEST,
            "X-ray shows the connections that have the same cookie as you. Set it first: \
             xray=<32 hexadecimal digits>.",
        ))?;
        self.hub.subscribe(cookie.token).ok_or((
            StatusCode::SERVICE_UNAVAILABLE,
            "Other browsers have as many viewers as there may be. Close one first.",
        ))
    }
}

async fn ws_handler(
    State(state): State<ViewerState>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Rejection> {
    let viewer = state.admit(&headers)?;
    Ok(match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(MAX_MESSAGE_SIZE)
            .max_frame_size(MAX_MESSAGE_SIZE)
            .on_upgrade(move |socket| handle_socket(socket, viewer, state.hub.program)),
        Err(rejection) => rejection.into_response(),
    })
}

/// Sends rows to a viewer, until it leaves or ends.
async fn handle_socket(mut socket: WebSocket, mut viewer: Viewer, program: u64) {
    let first = Message::text(format!("[{}]", row::program(program)));
    if socket.send(first).await.is_err() {
        return;
    }
    loop {
        select! {
            received = socket.recv() => {
                let Some(Ok(_)) = received else { break }; // It left.
            }
            rows = viewer.message() => {
                let Some(rows) = rows else {
                    // 1008: connecting again would take the place of the next one.
                    let reason = "Too many viewers, or X-ray is off.".into();
                    let code = close_code::POLICY;
                    let close = Message::Close(Some(CloseFrame { code, reason }));
                    let _ = socket.send(close).await; // Or it has gone already.
                    break;
                };
                // If the viewer does not read, this waits, and its queue becomes full.
                if socket.send(Message::text(rows)).await.is_err() {
                    break;
                }
                sleep(MESSAGE_INTERVAL).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
