//! Lesson 06: a protocol in JSON.
//!
//! Before: a message was a line of text, and only people knew what it meant.
//! Now:    a message is a JSON object with a `type`, and a mistake gets an answer.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. `ClientMessage` and `ServerMessage`, all messages that there are (`protocol.rs`);
//! 2. `Content` and `Username`, types whose values are valid (`protocol.rs`);
//! 3. what wrong input gets: an error message, and the connection stays open, or, if it is
//!    the frames that are wrong, a Close with the code for it (`socket.rs`).
//!
//! Run:   cargo run -p lesson_06_json
//! Open:  http://127.0.0.1:8000/lesson_06.html in two windows
//! Check: cargo test -p lesson_06_json

mod connection_manager;
mod protocol;
mod socket;

use std::io;

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use tokio::select;
use tracing::info;

use crate::{
    connection_manager::{Connection, ConnectionManager, OUTBOX_SIZE},
    protocol::{ClientMessage, ServerMessage, Username, now},
    socket::{Disconnect, close, send_all, with_limits},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    // A thread of its own writes the log, so that the log never holds up the server.
    let (log, _guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt().with_writer(log).init();

    // Port 8000, or what ADDR says. This also prints where to look.
    let listener = pages::listen().await;

    axum::serve(listener, app()).await
}

/// The whole application. The tests call this too, so they check exactly what
/// `main` serves.
fn app() -> Router {
    Router::new()
        .route("/ws/{username}", any(ws_handler))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_06.html"))
        .with_state(ConnectionManager::default())
}

async fn ws_handler(
    Path(username): Path<Username>,
    State(manager): State<ConnectionManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, manager, username))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut socket: WebSocket,
    manager: ConnectionManager,
    username: Username,
) {
    // Why not before the upgrade? The page should ask for another name, and all that a
    // page can read is the code and the reason of a Close.
    let Some(mut connection) = manager.connect(username.clone()) else {
        return close(socket, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut socket, &mut connection).await;

    drop(connection); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(%username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(socket: &mut WebSocket, connection: &mut Connection) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    handle_message(connection, ClientMessage::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    handle_message(connection, Err("this server reads text, not binary".into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return Disconnect::ByClient(frame.map(|frame| frame.code));
                }
                Some(Err(error)) => return error.into(),
                None => return Disconnect::Lost,
            },
            count = connection.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                if let Err(disconnect) = send_all(socket, &mut queued).await {
                    return disconnect;
                }
            }
        }
    }
}

/// Does what the client asks for, or sends it an error that says why not.
fn handle_message(connection: &Connection, received: Result<ClientMessage, String>) {
    let Connection { manager, username, .. } = connection;

    match received {
        Ok(ClientMessage::Chat { content }) => manager.broadcast(&ServerMessage::Chat {
            from: username,
            content: &content,
            timestamp: now(),
        }),
        Ok(ClientMessage::Ping) => manager.send_personal(username, &ServerMessage::Pong),
        Err(message) => {
            manager.send_personal(username, &ServerMessage::Error { message });
        }
    }
}

#[cfg(test)]
mod tests;
