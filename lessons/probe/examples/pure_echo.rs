//! A pure echo: what comes in goes out, text as text and binary as binary.
//!
//! Conformance tests such as Autobahn need one, and no lesson is one: they put words
//! around the echo. This server has the lessons' own socket, with its limits and its closing
//! handshake, so that what holds for it holds for them.
//!
//! Run:   cargo run -p probe --example pure_echo [-- --limit BYTES]
//! Check: .ci/interop/autobahn

#[allow(
    dead_code,
    reason = "an echo closes nobody who is too slow, or whose name is taken"
)]
#[path = "../../lesson_07_rooms/src/socket.rs"]
mod socket;

use std::{env, io};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};

use crate::socket::{Disconnect, close, with_limits};

#[tokio::main]
async fn main() -> io::Result<()> {
    let limit =
        limit(env::args().skip(1)).unwrap_or_else(|sentence| pages::quit(sentence));
    let listener = pages::listen().await;

    axum::serve(listener, app(limit)).await
}

/// Reads the command line: the longest message, in bytes, if it is not that of the lessons.
fn limit(args: impl Iterator<Item = String>) -> Result<Option<usize>, String> {
    match args.collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        [name, bytes] if name == "--limit" => bytes.parse().map(Some).map_err(|_| {
            format!("--limit is {bytes:?}, but should be a number of bytes.")
        }),
        other => Err(format!("We know --limit BYTES, but not {other:?}.")),
    }
}

fn app(limit: Option<usize>) -> Router {
    Router::new()
        .route("/ws", any(ws_handler))
        .merge(pages::router("pure_echo", "lesson_01.html"))
        .with_state(limit)
}

async fn ws_handler(
    State(limit): State<Option<usize>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = with_limits(upgrade);
    let upgrade = match limit {
        None => upgrade,
        Some(limit) => upgrade
            .max_message_size(limit)
            .max_frame_size(limit)
            .max_write_buffer_size(2 * limit),
    };
    upgrade.on_upgrade(handle_socket)
}

async fn handle_socket(mut socket: WebSocket) {
    let disconnect = run(&mut socket).await;
    close(socket, &disconnect).await;
}

/// Sends back what it receives, until the connection ends.
async fn run(socket: &mut WebSocket) -> Disconnect {
    loop {
        let message = match socket.recv().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => {
                return Disconnect::ByClient(frame.map(|frame| frame.code));
            }
            Some(Err(error)) => return error.into(),
            None => return Disconnect::Lost,
        };

        if let Err(error) = socket.send(message).await {
            return error.into();
        }
    }
}
