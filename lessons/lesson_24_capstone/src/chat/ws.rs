//! The endpoints of the chat: `GET /rooms`, and a socket for each member of a room.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRef, State, ws::Message},
    response::Response,
    routing::{any, get},
};
use tracing::info;

use super::{
    client::{Client, Position},
    protocol::{ClientMessage, ServerMessage},
    rooms::{RoomManager, RoomSummary},
};
use crate::{
    auth::Auth,
    delivery::{Draft, Log, Seq},
    extract::{Path, Query},
    limits::{ConnectionLimits, RateLimits},
    names::RoomName,
    server::Shutdown,
    session::{Activity, Disconnect, Session, SessionUpgrade, json::now},
};

/// The chat, on a log that delivers to these rooms.
pub fn routes<S, L>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    L: Log,
    Arc<L>: FromRef<S>,
    Auth: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    RateLimits: FromRef<S>,
    RoomManager: FromRef<S>,
    Shutdown: FromRef<S>,
{
    Router::new()
        .route("/rooms", get(list_rooms))
        .route("/ws/chat/{room}", any(ws_handler::<L>))
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn ws_handler<L: Log>(
    upgrade: SessionUpgrade,
    State(rooms): State<RoomManager>,
    State(log): State<Arc<L>>,
    Path(room): Path<RoomName>,
    Query(position): Query<Position>,
) -> Response {
    upgrade.on_any_upgrade(Activity::Messages, |session| {
        handle_socket(session, rooms, log, room, position)
    })
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket<L: Log>(
    mut session: Session,
    rooms: RoomManager,
    log: Arc<L>,
    room: RoomName,
    position: Position,
) {
    let username = session.username.clone();
    let joined = join(&mut session, &rooms, log, room.clone(), position).await;
    let mut client = match joined {
        Ok(client) => client,
        Err(disconnect) => return session.close(&disconnect).await,
    };
    let Err(disconnect) = run(&mut session, &mut client).await;

    client.settle().await;
    drop(client); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

async fn join<L: Log>(
    session: &mut Session,
    rooms: &RoomManager,
    log: Arc<L>,
    room: RoomName,
    position: Position,
) -> Result<Client<L>, Disconnect> {
    let newest = log.read(&room, Seq::MAX).await;
    let newest = newest.map_err(|_| Disconnect::LOG_UNAVAILABLE)?;
    let resumes = position.resume.is_some();
    let member = rooms.join(room, session.username.clone(), &session.permit, resumes)?;
    if resumes {
        session.be_patient();
    }
    Ok(Client::new(member, log, position, &newest))
}

/// Handles what the client sends, until the connection ends.
async fn run<L: Log>(
    session: &mut Session,
    client: &mut Client<L>,
) -> Result<Infallible, Disconnect> {
    loop {
        let received = match session.recv(client).await? {
            Message::Text(text) => ClientMessage::parse(&text),
            _ => Err(ServerMessage::Error {
                message: "this server reads text, not binary".into(),
            }),
        };

        // A page pings by itself, so that does not show that a person is there.
        if !matches!(received, Ok(ClientMessage::Ping)) {
            session.used();
        }
        match received {
            Ok(ClientMessage::Chat { id, content }) => {
                let room = client.member.room.clone();
                let from = session.username.clone();
                client.append(Draft { room, from, id, content, timestamp: now() }).await;
            }
            Ok(ClientMessage::Ping) => session.send_json(&ServerMessage::Pong).await?,
            Err(answer) => session.send_json(&answer).await?,
        }
    }
}
