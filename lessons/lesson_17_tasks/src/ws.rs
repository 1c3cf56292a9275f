//! The sockets that bring people the state of their tasks.

use std::convert::Infallible;

use axum::{
    extract::{
        State,
        ws::{Message, close_code},
    },
    response::Response,
};
use lesson_08_auth::{Disconnect, Session, SessionUpgrade, encode};
use serde::{Deserialize, Serialize};
use tokio::select;
use tracing::info;

use crate::task_list::{Task, Tasks};

/// How we close every socket when the program ends (RFC 6455, section 7.4.1).
const GOING_AWAY: Disconnect =
    Disconnect::ByUs(close_code::AWAY, "the server is stopping");

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

        let username = session.username.clone();
        session.close(&disconnect).await; // The tasks go on without it.
        info!(%username, ?disconnect, "subscriber disconnected");
        drop(tracked);
    })
}

/// Sends the state of the tasks, until one of the two ends the connection.
///
/// Why no outbox? Progress is a state, and not a history: a client that was slow needs the
/// newest one, and none of those before it.
async fn run(session: &mut Session, tasks: &Tasks) -> Result<Infallible, Disconnect> {
    let mut list = tasks.of(&session.username).0.subscribe();
    list.mark_changed(); // So the first state is sent at once.

    loop {
        let reply = select! {
            biased; // The state comes first, even if the client has already sent something.
            () = tasks.stopping.cancelled() => return Err(GOING_AWAY),
            Ok(()) = list.changed() => {
                let tasks = list.borrow_and_update();
                Some(encode(&ServerMessage::Tasks { tasks: &tasks }))
            }
            received = session.recv() => reply_to(&received?).map(|reply| encode(&reply)),
        };
        session.send_all(reply.map(Message::Text)).await?;
    }
}

fn reply_to(message: &Message) -> Option<ServerMessage<'static>> {
    let parsed = match message {
        Message::Text(text) => serde_json::from_str(text).ok(),
        Message::Binary(_) => None,
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return None,
    };
    Some(match parsed {
        Some(ClientMessage::Ping) => ServerMessage::Pong,
        None => ServerMessage::Error { message: ONLY_PING },
    })
}
