//! One client of the chat, as in lesson 08, but not faster than its person may be.

use std::time::Duration;

use axum::{
    extract::{
        Path, State,
        ws::{Message, close_code},
    },
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, Member, OUTBOX_SIZE, RoomManager, RoomName, ServerMessage,
    Session, SessionUpgrade, handle_message,
};
use tokio::{select, time::timeout};
use tracing::info;

use crate::rate_limiter::{RateLimited, RateLimiter, rounded_up};

/// How a flood ends.
const TOO_MANY_MESSAGES: Disconnect =
    Disconnect::ByUs(close_code::POLICY, "too many messages");

/// How long a client may take to answer our Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The chat of lesson 08, with a limit for each person. Who connects too often gets 429,
/// before the upgrade.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
    State(limiter): State<RateLimiter>,
) -> Result<Response, RateLimited> {
    limiter.check_connection(upgrade.username())?;
    Ok(upgrade.on_upgrade(|session| handle_socket(session, rooms, room, limiter)))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut session: Session,
    rooms: RoomManager,
    room: RoomName,
    limiter: RateLimiter,
) {
    let username = session.username.clone();
    let Some(mut member) = rooms.join(room.clone(), username.clone()) else {
        return close(session, &Disconnect::NAME_TAKEN).await;
    };
    let disconnect = run(&mut session, &mut member, &limiter).await;

    drop(member); // Now, not later: the closing handshake can take a while.
    close(session, &disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(
    session: &mut Session,
    member: &mut Member,
    limiter: &RateLimiter,
) -> Disconnect {
    let mut queued = Vec::new();

    loop {
        select! {
            received = session.recv() => {
                let acted = received.and_then(|message| act(member, limiter, message));
                if let Err(disconnect) = acted {
                    return disconnect;
                }
            }
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

/// Does what a message of this member asks for, unless it comes too fast.
///
/// Why count pings and pongs, too? Each costs time to read, and axum answers pings.
fn act(
    member: &Member,
    limiter: &RateLimiter,
    message: Message,
) -> Result<(), Disconnect> {
    match limiter.check(&member.username) {
        Ok(()) => {}
        Err(RateLimited::Wait(wait)) => {
            refuse(member, &message, wait);
            return Ok(());
        }
        Err(RateLimited::TooManyRefusals(_)) => return Err(TOO_MANY_MESSAGES),
    }

    match handle_message(message, &member.room, &member.username) {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => member.broadcast(&message),
        Action::Ignore => {}
    }
    Ok(())
}

/// Says when to try again, through the outbox: it comes after the answers to what was sent
/// before.
fn refuse(member: &Member, message: &Message, wait: Duration) {
    if matches!(message, Message::Text(_) | Message::Binary(_)) {
        let tenths = rounded_up(wait, Duration::from_millis(100));
        let wait = format!("{}.{} seconds", tenths / 10, tenths % 10);
        let message = format!("too many messages: try again in {wait}");
        member.send(&ServerMessage::Error { message });
    }
}

/// Closes the connection, and reads for a second at most: nobody counts what still comes.
async fn close(session: Session, disconnect: &Disconnect) {
    let closing = session.close(disconnect);
    // A client that was too slow needs longer, because our Close comes after all that it
    // has not read.
    if *disconnect == Disconnect::TOO_SLOW {
        return closing.await;
    }
    let _ = timeout(CLOSE_TIMEOUT, closing).await; // A flooder may never answer.
}
