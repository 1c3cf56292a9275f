//! The socket of one subscriber.

use std::convert::Infallible;

use axum::{
    extract::{State, ws::Message},
    response::Response,
};
use lesson_08_auth::{Disconnect, Session, SessionUpgrade, encode};
use serde::{Deserialize, Serialize};
use tokio::select;
use tracing::info;

use crate::events::{Events, Subscription};

/// What a client may send.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum ClientMessage {
    Ping,
}

/// What the server sends, beside events.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage {
    Connection { message: &'static str, channel: &'static str },
    Pong,
    Error { message: &'static str },
}

const GREETING: ServerMessage = ServerMessage::Connection {
    message: "Connected to channel: users",
    channel: "users",
};

/// The answer to everything but a ping: changes are made over HTTP.
const ONLY_PING: &str =
    r#"This socket brings events. It understands {"action":"ping"} alone."#;

/// The events of the users, for a state that holds an [`Auth`](lesson_08_auth::Auth) and
/// an [`Events`].
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    State(events): State<Events>,
) -> Response {
    upgrade.on_upgrade(|session| handle_socket(session, events))
}

async fn handle_socket(mut session: Session, events: Events) {
    let username = session.username.clone();
    let Err(disconnect) = run(&mut session, events.subscribe()).await;

    session.close(&disconnect).await;
    info!(%username, ?disconnect, "subscriber disconnected");
}

/// Carries events to the client, until one of the two ends the connection.
async fn run(
    session: &mut Session,
    mut subscription: Subscription,
) -> Result<Infallible, Disconnect> {
    // The client may load the list when it has this, and not before.
    session.send_all([Message::Text(encode(&GREETING))]).await?;

    loop {
        let texts = select! {
            received = session.recv() => {
                let reply = reply_to(&received?);
                // What was published before goes first, and the reply comes after it.
                let mut texts = subscription.take()?;
                texts.extend(reply.as_ref().map(encode));
                texts
            }
            events = subscription.recv() => events?,
        };
        session.send_all(texts.into_iter().map(Message::Text)).await?;
    }
}

fn reply_to(message: &Message) -> Option<ServerMessage> {
    let parsed = match message {
        // Why look at the first character? serde also reads `["ping"]` as this enum.
        Message::Text(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).ok()
        }
        Message::Text(_) | Message::Binary(_) => None,
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return None,
    };
    Some(match parsed {
        Some(ClientMessage::Ping) => ServerMessage::Pong,
        None => ServerMessage::Error { message: ONLY_PING },
    })
}
