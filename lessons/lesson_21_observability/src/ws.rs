//! One client of the chat: what it sends, what is sent to it, and what is counted of it.

use std::{future::poll_fn, pin::pin, time::Duration};

use axum::{
    extract::{Path, State, ws::Message},
    response::Response,
};
use lesson_08_auth::{
    Action, Disconnect, Member, OUTBOX_SIZE, RoomManager, RoomName, Session,
    SessionUpgrade, handle_message,
};
use tokio::{select, time::Instant};
use tracing::Instrument;

use crate::{connection::Connection, labels::kind, metrics::Metrics};

/// The chat, for a path with the name of a `{room}`, and a state that holds an
/// [`Auth`](lesson_08_auth::Auth), a [`RoomManager`] and [`Metrics`].
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
    State(metrics): State<Metrics>,
) -> Response {
    upgrade.on_upgrade(move |session| {
        let connection = Connection::new(&metrics, &room, &session.username);
        let span = connection.span.clone();
        handle_socket(session, rooms, room, metrics, connection).instrument(span)
    })
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut session: Session,
    rooms: RoomManager,
    room: RoomName,
    metrics: Metrics,
    mut connection: Connection,
) {
    let username = session.username.clone();
    let disconnect = match rooms.join(room, username) {
        Some(mut member) => {
            metrics.joins.inc();
            // The member leaves now, not later: the closing handshake can take a while.
            run(&mut session, &mut member, &metrics).await
        }
        None => Disconnect::NAME_TAKEN,
    };

    connection.ends(&disconnect);
    session.close(&disconnect).await;
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(
    session: &mut Session,
    member: &mut Member,
    metrics: &Metrics,
) -> Disconnect {
    let mut queued = Vec::new();
    let filled = |count: usize| metrics.outbox.observe(count as f64 / OUTBOX_SIZE as f64);

    loop {
        select! {
            received = session.recv() => match received {
                Ok(message) => act(member, metrics, message),
                Err(disconnect) => return disconnect,
            },
            count = member.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                filled(count);
                let mut written = 0;
                let texts = queued.drain(..).flat_map(|batch| batch.to_vec());
                let texts = texts.map(Message::Text).inspect(|_| written += 1);
                let (sent, waited) = wait_of(session.send_all(texts)).await;
                // Also if it has failed: the longest ones are those that were given up.
                if let Some(waited) = waited {
                    metrics.write_wait.observe(waited.as_secs_f64());
                }
                if let Err(disconnect) = sent {
                    filled(member.outbox.len()); // Nobody will empty it.
                    return disconnect;
                }
                metrics.deliveries.inc_by(written);
            }
        }
    }
}

/// Also measures how long the future had to wait. `None` if it was ready at once, as nearly all
/// writes are: to look at the clock for them would cost more than all the rest.
async fn wait_of<T>(future: impl Future<Output = T>) -> (T, Option<Duration>) {
    let mut future = pin!(future);
    let mut start = None;
    let output = poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            start.get_or_insert_with(Instant::now);
        }
        polled
    });
    let output = output.await;
    (output, start.map(|start| start.elapsed()))
}

/// Does what a message of this member asks for.
fn act(member: &Member, metrics: &Metrics, message: Message) {
    let start = Instant::now();
    let action = handle_message(message, &member.room, &member.username);
    metrics.messages[kind(&action)].inc();
    match action {
        Action::Reply(message) => member.send(&message),
        Action::Broadcast(message) => {
            member.broadcast(&message);
            metrics.broadcast.observe(start.elapsed().as_secs_f64());
        }
        Action::Ignore => {}
    }
}
