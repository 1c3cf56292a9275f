//! The sockets that bring people the state of their tasks.

use std::convert::Infallible;

use axum::{
    extract::{
        State,
        ws::{Message, Utf8Bytes, close_code::AWAY},
    },
    response::Response,
};
use lesson_08_auth::{Disconnect, Session, SessionUpgrade, encode};
use serde::{Deserialize, Serialize};
use tokio::{select, sync::watch};
use tracing::info;

use crate::task_list::{Task, Tasks};

/// How we close every socket when the program ends (RFC 6455, section 7.4.1).
const GOING_AWAY: Disconnect = Disconnect::ByUs(AWAY, "the server is stopping");

/// The answer to everything but a ping: tasks are started and cancelled over HTTP.
const ONLY_PING: &str = r#"This socket understands {"type":"ping"} alone."#;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Ping,
}

/// What the server sends: the state of all tasks, first and after each change, and replies.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage<'a> {
    Tasks { tasks: &'a [Task] },
    Pong,
    Error { message: &'static str },
}

pub async fn ws_handler(upgrade: SessionUpgrade, State(tasks): State<Tasks>) -> Response {
    let tracked = tasks.tracker.token(); // Before the answer: a stop waits for it.
    upgrade.on_upgrade(async move |mut session: Session| {
        let Err(disconnect) = run(&mut session, &tasks).await;

        info!(username = %session.username, ?disconnect, "subscriber disconnected");
        session.close(&disconnect).await; // The tasks go on without it.
        drop(tracked);
    })
}

/// Sends the state of the tasks, until one of the two ends the connection.
///
/// Why no outbox? Progress is a state, and not a history: a client that was slow needs the
/// newest one, and none of those before it.
async fn run(session: &mut Session, tasks: &Tasks) -> Result<Infallible, Disconnect> {
    let mut list = tasks.of(&session.username).0.subscribe();
    let mut next = Some(newest(&mut list)); // The first one, at once.

    loop {
        session.send_all(next.map(Message::Text)).await?;
        next = select! {
            () = tasks.stopping.cancelled() => return Err(GOING_AWAY),
            Ok(()) = list.changed() => Some(newest(&mut list)),
            received = session.recv() => reply_to(&received?).map(|reply| encode(&reply)),
        };
    }
}

/// The newest state. It holds a lock until it returns, and waits for nothing.
fn newest(list: &mut watch::Receiver<Vec<Task>>) -> Utf8Bytes {
    encode(&ServerMessage::Tasks { tasks: &list.borrow_and_update() })
}

fn reply_to(message: &Message) -> Option<ServerMessage<'static>> {
    let text = match message {
        Message::Text(text) => text.trim_start(),
        Message::Binary(_) => "",
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return None,
    };
    // Why look at the first character? serde also reads `["ping"]` as this enum.
    Some(match text.starts_with('{').then(|| serde_json::from_str(text)) {
        Some(Ok(ClientMessage::Ping)) => ServerMessage::Pong,
        _ => ServerMessage::Error { message: ONLY_PING },
    })
}
