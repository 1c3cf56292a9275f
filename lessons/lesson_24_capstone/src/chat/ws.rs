//! The endpoints of the chat: `GET /rooms`, and a socket for each member of a room.

use axum::{
    Json, Router,
    extract::{FromRef, State, ws::Message},
    response::Response,
    routing::{any, get},
};
use tracing::info;

use super::{
    protocol::{ClientMessage, RoomName, ServerMessage},
    rooms::{Member, RoomManager, RoomSummary},
};
use crate::{
    auth::Auth,
    extract::Path,
    limits::{ConnectionLimits, RateLimits},
    server::Shutdown,
    session::{
        Activity, Disconnect, Session, SessionUpgrade,
        json::{now, parse},
    },
};

pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    RateLimits: FromRef<S>,
    RoomManager: FromRef<S>,
    Shutdown: FromRef<S>,
{
    Router::new()
        .route("/rooms", get(list_rooms))
        .route("/ws/chat/{room}", any(ws_handler))
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn ws_handler(
    upgrade: SessionUpgrade,
    State(rooms): State<RoomManager>,
    Path(room): Path<RoomName>,
) -> Response {
    upgrade.on_upgrade(Activity::Messages, |session| handle_socket(session, rooms, room))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut session: Session, rooms: RoomManager, room: RoomName) {
    let username = session.username.clone();
    let mut member = match rooms.join(room.clone(), username.clone()) {
        Ok(member) => member,
        Err(disconnect) => return session.close(&disconnect).await,
    };
    let disconnect = run(&mut session, &mut member).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Handles what the client sends, until the connection ends.
async fn run(session: &mut Session, member: &mut Member) -> Disconnect {
    loop {
        let received = match session.recv(&mut member.outbox).await {
            Ok(Message::Text(text)) => parse(&text, "type"),
            Ok(_) => Err("this server reads text, not binary".into()),
            Err(disconnect) => return disconnect,
        };

        // A page pings by itself, so that does not show that a person is there.
        if !matches!(received, Ok(ClientMessage::Ping)) {
            session.used();
        }
        handle_message(member, received);
    }
}

/// Does what the client asks for, or sends it an error that says why not.
fn handle_message(member: &Member, received: Result<ClientMessage, String>) {
    let Member { room, username, .. } = member;

    match received {
        Ok(ClientMessage::Chat { content }) => member.broadcast(&ServerMessage::Chat {
            room,
            from: username,
            content: &content,
            timestamp: now(),
        }),
        Ok(ClientMessage::Ping) => member.send(&ServerMessage::Pong),
        Err(message) => member.send(&ServerMessage::Error { message }),
    }
}
