//! Lesson 07: rooms.
//!
//! Before: every message went to every client.
//! Now:    clients join rooms, and a message goes to the members of one room.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. a path with two typed parameters;
//! 2. JSON over plain HTTP, beside the WebSocket;
//! 3. `RoomManager`: rooms that appear and vanish by themselves (`rooms.rs`).
//!
//! Run:   cargo run -p lesson_07_rooms
//! Open:  http://127.0.0.1:8000/lesson_07.html in two windows
//! Check: cargo test -p lesson_07_rooms

mod protocol;
mod rooms;
mod socket;

use std::io;

use axum::{
    Json, Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{any, get},
};
use tokio::select;
use tracing::info;

use crate::{
    protocol::{ClientMessage, RoomName, ServerMessage, Username, now},
    rooms::{Member, OUTBOX_SIZE, RoomManager, RoomSummary},
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
        .route("/ws/chat/{room}/{username}", any(ws_handler))
        .route("/rooms", get(list_rooms))
        .merge(pages::router(env!("CARGO_PKG_NAME"), "lesson_07.html"))
        .with_state(RoomManager::default())
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn ws_handler(
    Path((room, username)): Path<(RoomName, Username)>,
    State(rooms): State<RoomManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, rooms, room, username))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut socket: WebSocket,
    rooms: RoomManager,
    room: RoomName,
    username: Username,
) {
    let Some(mut member) = rooms.join(room.clone(), username.clone()) else {
        return close(socket, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut socket, &mut member).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    close(socket, &disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(socket: &mut WebSocket, member: &mut Member) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    handle_message(member, ClientMessage::parse(&text));
                }
                Some(Ok(Message::Binary(_))) => {
                    handle_message(member, Err("this server reads text, not binary".into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return Disconnect::ByClient(frame.map(|frame| frame.code));
                }
                Some(Err(error)) => return error.into(),
                None => return Disconnect::Lost,
            },
            count = member.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
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
fn handle_message(member: &Member, received: Result<ClientMessage, String>) {
    let Member { rooms, room, username, .. } = member;

    match received {
        Ok(ClientMessage::Chat { content }) => rooms.broadcast_to_room(
            room,
            &ServerMessage::Chat {
                room,
                from: username,
                content: &content,
                timestamp: now(),
            },
        ),
        Ok(ClientMessage::Ping) => {
            rooms.send_personal(room, username, &ServerMessage::Pong);
        }
        Err(message) => {
            rooms.send_personal(room, username, &ServerMessage::Error { message });
        }
    }
}

#[cfg(test)]
mod tests;
