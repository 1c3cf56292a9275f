//! One client of the chat: what it sends, what is sent to it, and whether it is still there.

use axum::{
    body::Bytes,
    extract::{Path, State, ws::Message},
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, Member, OUTBOX_SIZE, RoomManager, RoomName, ServerMessage,
    Session, SessionUpgrade, handle_message,
};
use tokio::select;
use tracing::info;

use crate::heartbeat::{Due, Heartbeat};

/// The client has sent nothing since our ping, not even the pong.
const NO_PONG: Disconnect = Disconnect::ByUs(4010, "no sign of life");

/// The client answers pings, but nobody has used it for a long time.
const IDLE: Disconnect = Disconnect::ByUs(4011, "idle");

/// The chat, for a path with the name of a `{room}`, and a state that holds an
/// [`Auth`](lesson_08_auth::Auth) and a [`RoomManager`].
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
) -> Response {
    upgrade.on_upgrade(|session| handle_socket(session, rooms, room))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut session: Session, rooms: RoomManager, room: RoomName) {
    let username = session.username.clone();
    let Some(mut member) = rooms.join(room.clone(), username.clone()) else {
        return session.close(&Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut session, &mut member).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(session: &mut Session, member: &mut Member) -> Disconnect {
    let mut heartbeat = Heartbeat::new();
    let mut queued = Vec::new();

    loop {
        select! {
            received = recv(session, &mut heartbeat) => match received {
                Ok(Some(message)) => act(member, &mut heartbeat, message),
                Ok(None) => {
                    let ping = Message::Ping(Bytes::new());
                    if let Err(disconnect) = session.send_all([ping]).await {
                        return disconnect;
                    }
                }
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

/// The next message of the client, or `None` when a ping is due. Cancel safe.
async fn recv(
    session: &mut Session,
    heartbeat: &mut Heartbeat,
) -> Result<Option<Message>, Disconnect> {
    select! {
        // In this order, and not at random: while we write, nobody reads. What has come
        // meanwhile is in time.
        biased;

        received = session.recv() => {
            heartbeat.received();
            received.map(Some)
        }
        due = heartbeat.due() => match due {
            Due::Ping => Ok(None),
            Due::NoPong => Err(NO_PONG),
            Due::Idle => Err(IDLE),
        },
    }
}

/// Does what a message of this member asks for.
fn act(member: &Member, heartbeat: &mut Heartbeat, message: Message) {
    let action = handle_message(message, &member.room, &member.username);
    // A page sends pings by itself, and a browser pongs: they do not show that a person is
    // there.
    if !matches!(action, Action::Reply(ServerMessage::Pong) | Action::Ignore) {
        heartbeat.used();
    }
    match action {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => member.broadcast(&message),
        Action::Ignore => {}
    }
}
