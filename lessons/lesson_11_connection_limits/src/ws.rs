//! One client of the chat, if there are permits for it.

use std::time::Duration;

use axum::{
    extract::{
        Path, State,
        ws::{Message, close_code},
    },
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, Member, OUTBOX_SIZE, RoomName, Session, SessionUpgrade,
    handle_message,
};
use tokio::{select, time::timeout};
use tracing::info;

use crate::{AppState, connection_limits::Rejection, keyed_limit::LimitReached};

/// How long we wait for a client to answer a Close that has no other business here.
const SURPLUS_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

const TOO_MANY_CONNECTIONS: Disconnect =
    Disconnect::ByUs(close_code::POLICY, "too many connections of yours");
const ROOM_FULL: Disconnect = Disconnect::ByUs(close_code::AGAIN, "this room is full");
const TOO_MANY_ROOMS: Disconnect =
    Disconnect::ByUs(close_code::AGAIN, "there are too many rooms");

/// The chat. A client without a permit is rejected before the upgrade.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(state): State<AppState>,
) -> Result<Response, Rejection> {
    let permit = state.connections.acquire(upgrade.username())?;

    Ok(upgrade.on_upgrade(async move |session| {
        if permit.is_surplus {
            // Until it is gone, it counts in the total of all. So it does not get long.
            let closing = session.close(&TOO_MANY_CONNECTIONS);
            let _ = timeout(SURPLUS_CLOSE_TIMEOUT, closing).await;
        } else {
            handle_socket(session, state, room).await;
        }
        // Why name it here? A closure takes along only what it uses. Without this line that
        // would be `is_surplus`, and the permit would be gone before the upgrade.
        drop(permit);
    }))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut session: Session, state: AppState, room: RoomName) {
    let username = session.username.clone();
    let permit = match state.members.try_acquire(room.clone()) {
        Ok(permit) => permit,
        Err(LimitReached::PerKey) => return session.close(&ROOM_FULL).await,
        Err(LimitReached::Keys) => return session.close(&TOO_MANY_ROOMS).await,
    };
    let Some(mut member) = state.rooms.join(room.clone(), username.clone()) else {
        drop(permit);
        return session.close(&Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut session, &mut member).await;

    // Now: the closing handshake can take a while. And no member is without a permit.
    drop((member, permit));
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(session: &mut Session, member: &mut Member) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = session.recv() => match received {
                Ok(message) => act(member, message),
                Err(disconnect) => return disconnect,
            },
            count = member.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                let texts = queued.drain(..).flat_map(|batch| batch.to_vec());
                if let Err(disconnect) = session.send_all(texts.map(Message::Text)).await {
                    return disconnect;
                }
            }
        }
    }
}

/// Does what a message of this member asks for.
fn act(member: &Member, message: Message) {
    match handle_message(message, &member.room, &member.username) {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => member.broadcast(&message),
        Action::Ignore => {}
    }
}
