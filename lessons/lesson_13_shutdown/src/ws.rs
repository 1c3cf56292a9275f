//! One client of the chat: what it sends, what is sent to it, and the end of the program.

use std::mem;

use axum::{
    extract::{Path, State, ws::Message, ws::close_code},
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, Member, OUTBOX_SIZE, RoomName, Session, SessionUpgrade,
    handle_message,
};
use tokio::select;
use tracing::info;

use crate::{AppState, shutdown::Shutdown};

/// How we close every WebSocket when the program ends (RFC 6455, section 7.4.1).
const GOING_AWAY: Disconnect =
    Disconnect::ByUs(close_code::AWAY, "the server is stopping");

/// The chat, for a path with the name of a `{room}`.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(state): State<AppState>,
) -> Response {
    // Now, before the answer: otherwise the program could end between the two.
    let tracked = state.shutdown.track();
    upgrade.on_upgrade(async |session| {
        handle_socket(session, room, state).await;
        drop(tracked);
    })
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(mut session: Session, room: RoomName, state: AppState) {
    let AppState { rooms, shutdown, .. } = state;
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

/// Carries messages both ways, until one of the two ends it, or the program stops.
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
                    let we_stop = shutdown.is_stopping(); // Otherwise it was full.
                    return if we_stop { GOING_AWAY } else { Disconnect::TOO_SLOW };
                }
                let texts = queued.drain(..).flat_map(|batch| batch.to_vec());
                if let Err(disconnect) = session.send_all(texts.map(Message::Text)).await {
                    return disconnect;
                }
            }
            // What is in the outbox now is still sent. Then the arm above finds it closed.
            () = shutdown.stopping(), if !member.outbox.is_closed() => {
                member.outbox.close();
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
