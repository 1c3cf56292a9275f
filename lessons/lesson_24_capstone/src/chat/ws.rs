//! The endpoints of the chat: `GET /rooms`, and a socket for each member of a room.

use std::convert::Infallible;

use axum::{
    Json, Router,
    extract::{FromRef, State, ws::Message},
    response::Response,
    routing::{any, get},
};

use super::{
    backend::{Chat, Membership},
    client::{Client, Position},
    protocol::{ClientMessage, ServerMessage},
    rooms::RoomSummary,
};
use crate::{
    auth::Auth,
    delivery::Draft,
    error::ApiError,
    extract::{Path, Query},
    limits::{ConnectionLimits, RateLimits},
    names::RoomName,
    server::Shutdown,
    session::{Activity, Disconnect, Session, SessionUpgrade, json::now},
    telemetry::{Metrics, Socket},
};

/// The chat, wherever it is kept.
pub fn routes<S, C>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    C: Chat + FromRef<S>,
    Auth: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    Metrics: FromRef<S>,
    RateLimits: FromRef<S>,
    Shutdown: FromRef<S>,
{
    Router::new()
        .route("/rooms", get(list_rooms::<C>))
        .route("/ws/chat/{room}", any(ws_handler::<C>))
}

async fn list_rooms<C: Chat>(
    State(chat): State<C>,
) -> Result<Json<Vec<RoomSummary>>, ApiError> {
    chat.list().map(Json)
}

async fn ws_handler<C: Chat>(
    upgrade: SessionUpgrade,
    State(chat): State<C>,
    Path(room): Path<RoomName>,
    Query(position): Query<Position>,
) -> Response {
    upgrade.on_any_upgrade(Socket::Chat, Activity::Messages, |session| {
        handle_socket(session, chat, room, position)
    })
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket<C: Chat>(
    mut session: Session,
    chat: C,
    room: RoomName,
    position: Position,
) {
    session.connection.enters(&room);
    let joined = join(&mut session, &chat, room, position).await;
    let mut client = match joined {
        Ok(client) => client,
        Err(disconnect) => return session.close(&disconnect).await,
    };
    let Err(disconnect) = run(&mut session, &mut client).await;

    client.leave().await; // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
}

async fn join<C: Chat>(
    session: &mut Session,
    chat: &C,
    room: RoomName,
    position: Position,
) -> Result<Client<C>, Disconnect> {
    let resumes = position.resume.is_some();
    let username = session.username.clone();
    let joined = chat.join(room, username, &session.permit, resumes).await?;
    if resumes {
        session.delay_excess();
    }
    let metrics = session.connection.metrics.clone();
    metrics.joins.inc();
    Ok(Client::new(joined, position, metrics))
}

/// Handles what the client sends, until the connection ends.
async fn run<C: Chat>(
    session: &mut Session,
    client: &mut Client<C>,
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
                let room = client.member.room().clone();
                let from = session.username.clone();
                client.append(Draft { room, from, id, content, timestamp: now() }).await;
            }
            Ok(ClientMessage::Ping) => {
                reply(session, client, &ServerMessage::Pong).await?
            }
            Err(answer) => reply(session, client, &answer).await?,
        }
    }
}

async fn reply<C: Chat>(
    session: &mut Session,
    client: &mut Client<C>,
    answer: &ServerMessage<'_>,
) -> Result<(), Disconnect> {
    client.member.may_send()?;
    session.send_json(answer).await
}
