//! The sockets of subscribers.

use axum::{
    extract::{Path, Query, State, ws::Message},
    response::Response,
};
use lesson_08_auth::{Disconnect, Session, SessionUpgrade, Username};
use lesson_15_database::ApiError;
use serde::Deserialize;
use tokio::select;
use tracing::info;

use crate::{
    channels::{Channel, Channels, Subscription},
    events::{Identity, LiveEvent, LiveRequest, Name},
};

/// How many messages are sent in one go. All of them have one deadline, which a client that
/// is slow, but reads, must be able to meet.
const BATCH_SIZE: usize = 32;

/// The longest error, in characters: it may repeat a word of the client.
const ERROR_LIMIT: usize = 200;

#[derive(Deserialize)]
pub struct ClientId {
    client_id: Option<Name>,
}

/// Opens a socket that is subscribed to the channel in the path. Without one, it is
/// subscribed to nothing until the client subscribes.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    channel: Option<Path<String>>,
    Query(ClientId { client_id }): Query<ClientId>,
    State(channels): State<Channels>,
) -> Result<Response, ApiError> {
    let channel = channel.map(|Path(name)| Channel::parse(&name)).transpose()?;
    let client_id = client_id.unwrap_or_else(Name::generate);
    let identity = Identity { username: upgrade.username().clone(), client_id };

    Ok(upgrade.on_upgrade(move |session| {
        handle_socket(session, channels.connect(identity, channel))
    }))
}

async fn handle_socket(mut session: Session, mut subscription: Subscription) {
    let username = session.username.clone();
    let disconnect = run(&mut session, &mut subscription).await;

    drop(subscription); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
    info!(%username, ?disconnect, "subscriber disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(session: &mut Session, subscription: &mut Subscription) -> Disconnect {
    let mut batch = Vec::new();
    loop {
        select! {
            received = session.recv() => match received {
                Ok(message) => handle_message(subscription, &session.username, message),
                Err(disconnect) => return disconnect,
            },
            count = subscription.outbox.recv_many(&mut batch, BATCH_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                let messages = batch.drain(..).map(Message::Text);
                if let Err(disconnect) = session.send_all(messages).await {
                    return disconnect;
                }
            }
        }
    }
}

/// Does what a message of this client asks for.
///
/// All replies go through the outbox, behind the events that were published before.
fn handle_message(subscription: &Subscription, from: &Username, message: Message) {
    let channels = &subscription.channels;
    match parse(&message) {
        None => {}
        Some(Ok(LiveRequest::Subscribe { channel })) => subscription.subscribe(channel),
        Some(Ok(LiveRequest::Unsubscribe { channel })) => {
            subscription.unsubscribe(channel)
        }
        Some(Ok(LiveRequest::Send { channel, message })) if channel.takes_messages() => {
            channels.publish(
                channel,
                &LiveEvent::Message { message: &message, from },
                None,
            );
        }
        Some(Ok(LiveRequest::Send { channel, .. })) => {
            let message = format!("{channel} takes no messages: it brings changes");
            subscription.send(&LiveEvent::Error { message });
        }
        Some(Ok(LiveRequest::GetStats)) => {
            subscription.send(&LiveEvent::Stats { data: channels.stats() });
        }
        Some(Ok(LiveRequest::Ping)) => subscription.send(&LiveEvent::Pong),
        Some(Err(message)) => subscription.send(&LiveEvent::Error { message }),
    }
}

/// Reads a message. The error is a sentence for the person who sent it; `None` is a ping or
/// a pong of the protocol below, which axum answers.
fn parse(message: &Message) -> Option<Result<LiveRequest, String>> {
    match message {
        // Why look at the first character? serde also reads `["ping"]` as an enum.
        Message::Text(text) if text.trim_start().starts_with('{') => {
            let request = serde_json::from_str(text);
            Some(request.map_err(|error| format!("{:.ERROR_LIMIT$}", error.to_string())))
        }
        Message::Text(_) | Message::Binary(_) => {
            Some(Err(r#"a message is a JSON object, such as {"action":"ping"}"#.into()))
        }
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
    }
}
