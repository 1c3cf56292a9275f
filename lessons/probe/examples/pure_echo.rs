//! A pure echo: what comes in goes out, text as text and binary as binary.
//!
//! Conformance tests such as Autobahn need one, and no lesson is one: they put words
//! around the echo. This server has the lessons' own socket, with its sizes and its
//! endings, so that what holds for it holds for them.
//!
//! Run:   cargo run -p probe --example pure_echo [-- --limit BYTES]
//! Check: .ci/interop/autobahn

#[allow(dead_code, reason = "an echo has no names to be taken, and nobody too slow")]
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

use crate::socket::{Ending, sized};

/// What the line carries, in bytes, as in the lessons, unless `--limit` says otherwise.
const LINE_LIMIT: usize = 64 * 1024;

#[tokio::main]
async fn main() -> io::Result<()> {
    let limit =
        limit(env::args().skip(1)).unwrap_or_else(|sentence| pages::quit(sentence));
    let listener = pages::listen().await;

    axum::serve(listener, app(limit)).await
}

/// Reads the command line.
fn limit(args: impl Iterator<Item = String>) -> Result<usize, String> {
    match args.collect::<Vec<_>>().as_slice() {
        [] => Ok(LINE_LIMIT),
        [name, bytes] if name == "--limit" => bytes.parse().map_err(|_| {
            format!("--limit is {bytes:?}, but should be a number of bytes.")
        }),
        other => Err(format!("We know --limit BYTES, but not {other:?}.")),
    }
}

fn app(limit: usize) -> Router {
    Router::new().route("/ws", any(open_socket)).with_state(limit)
}

async fn open_socket(State(limit): State<usize>, upgrade: WebSocketUpgrade) -> Response {
    sized(upgrade, limit).on_upgrade(serve_client)
}

async fn serve_client(mut socket: WebSocket) {
    let ending = converse(&mut socket).await;
    ending.part(socket).await;
}

/// Gives back what it hears, until the client ends the conversation.
async fn converse(socket: &mut WebSocket) -> Ending {
    loop {
        let answer = match socket.recv().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => return Ending::Closed(frame),
            Some(Err(error)) => return error.into(),
            None => return Ending::Dropped,
        };

        if let Err(error) = socket.send(answer).await {
            return error.into();
        }
    }
}
