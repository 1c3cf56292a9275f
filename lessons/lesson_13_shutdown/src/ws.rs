//! One client of the chat: what it sends, what is sent to it, and the end of the program.

use std::mem;

use axum::{
    extract::{Path, State, ws::Message},
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, Member, OUTBOX_SIZE, RoomManager, RoomName, Session,
    SessionUpgrade, handle_message,
};
use tokio::{select, sync::mpsc::error::TryRecvError};
use tracing::info;

use crate::shutdown::{GOING_AWAY, Shutdown};

/// The chat, for a path with the name of a `{room}`.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
    State(shutdown): State<Shutdown>,
) -> Response {
    // Now, before the answer: otherwise the program could end between the two.
    let tracked = shutdown.track();
    upgrade.on_upgrade(async |session| {
        handle_socket(session, rooms, room, shutdown).await;
        drop(tracked);
    })
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut session: Session,
    rooms: RoomManager,
    room: RoomName,
    shutdown: Shutdown,
) {
    let username = session.username.clone();
    let join = || rooms.join(room.clone(), username.clone());
    let mut member = match shutdown.unless_stopping(join) {
        Some(Some(member)) => member,
        Some(None) => return session.close(&Disconnect::NAME_TAKEN).await,
        None => return session.close(&GOING_AWAY).await,
    };
    let disconnect = run(&mut session, &mut member, &shutdown).await;

    if shutdown.is_stopping() {
        // Why not drop it? All members leave now. Whoever reads slowly would be sent the
        // names of all the others. It is the program that ends, with all its memory.
        mem::forget(member);
    } else {
        drop(member); // Now, not later: the closing handshake can take a while.
    }
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection, or the program
/// stops.
async fn run(
    session: &mut Session,
    member: &mut Member,
    shutdown: &Shutdown,
) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = session.recv() => match received {
                Ok(message) => {
                    shutdown.unless_stopping(|| act(member, message));
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
            () = shutdown.stopping() => return send_rest(session, member).await,
        }
    }
}

/// Sends what is left in the outbox: it was said before the stop.
async fn send_rest(session: &mut Session, member: &mut Member) -> Disconnect {
    let mut texts = Vec::new();
    let disconnect = loop {
        match member.outbox.try_recv() {
            Ok(batch) => texts.extend(batch.to_vec()),
            Err(TryRecvError::Empty) => break GOING_AWAY,
            Err(TryRecvError::Disconnected) => break Disconnect::TOO_SLOW,
        }
    };
    let sent = session.send_all(texts.into_iter().map(Message::Text)).await;
    sent.err().unwrap_or(disconnect)
}

/// Does what a message of this member asks for.
fn act(member: &Member, message: Message) {
    match handle_message(message, &member.room, &member.username) {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => member.broadcast(&message),
        Action::Ignore => {}
    }
}
