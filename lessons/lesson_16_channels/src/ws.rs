//! The sockets of subscribers.

use std::convert::Infallible;

use axum::{
    extract::{
        FromRequestParts, Path, Query, State, rejection::PathRejection, ws::Message,
    },
    response::Response,
};
use lesson_08_auth::{Disconnect, Session, SessionUpgrade, Username, parse};
use lesson_15_database::ApiError;
use serde::Deserialize;
use tokio::select;
use tracing::info;

use crate::{
    channels::{Channel, Channels, Subscription},
    events::{Identity, LiveEvent, LiveRequest, Name, random_name},
};

/// How many messages are sent in one go. All of them have one deadline, which a client that
/// is slow, but reads, must be able to meet.
const BATCH_SIZE: usize = 32;

/// A good message. The error for something that is none shows it.
const EXAMPLE: &str = r#"{"action":"ping"}"#;

/// What a client calls itself: `?client_id=kitchen`.
#[derive(Deserialize, FromRequestParts)]
#[from_request(via(Query), rejection(ApiError))]
pub struct ClientId {
    client_id: Option<Name>,
}

/// Opens a socket that is subscribed to the channel in the path. Without one, it is
/// subscribed to nothing until the client subscribes.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    channel: Result<Option<Path<String>>, PathRejection>,
    ClientId { client_id }: ClientId,
    State(channels): State<Channels>,
) -> Result<Response, ApiError> {
    let channel = channel?.map(|Path(name)| Channel::parse(&name)).transpose()?;
    let client_id = client_id.unwrap_or_else(random_name);
    let identity = Identity { username: upgrade.username().clone(), client_id };

    Ok(upgrade.on_upgrade(move |session| {
        handle_socket(session, channels.connect(identity, channel))
    }))
}

async fn handle_socket(mut session: Session, mut subscription: Subscription) {
    let username = session.username.clone();
    let Err(disconnect) = run(&mut session, &mut subscription).await;

    drop(subscription); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
    info!(%username, ?disconnect, "subscriber disconnected");
}

/// Carries messages both ways, until one of the two ends the connection.
async fn run(
    session: &mut Session,
    subscription: &mut Subscription,
) -> Result<Infallible, Disconnect> {
    let mut batch = Vec::new();
    loop {
        select! {
            received = session.recv() => {
                handle_message(subscription, &session.username, received?);
            }
            count = subscription.outbox.recv_many(&mut batch, BATCH_SIZE) => {
                if count == 0 {
                    return Err(Disconnect::TOO_SLOW); // The outbox was full, and was closed.
                }
                session.send_all(batch.drain(..).map(Message::Text)).await?;
            }
        }
    }
}

/// Does what a message of this client asks for. A mistake gets an error in reply.
///
/// All replies go through the outbox, behind the events that were published before.
fn handle_message(subscription: &Subscription, from: &Username, message: Message) {
    let channels = &subscription.channels;
    let request = match message {
        Message::Text(text) => parse(&text, EXAMPLE),
        Message::Binary(_) => Err("this server reads text, not binary".into()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return, // axum answers.
    };
    match request {
        Ok(LiveRequest::Subscribe { channel }) => subscription.subscribe(channel),
        Ok(LiveRequest::Unsubscribe { channel }) => subscription.unsubscribe(channel),
        Ok(LiveRequest::Send { channel: Channel::News, message }) => {
            let message = LiveEvent::Message { message: &message, from };
            channels.publish(Channel::News, &message, None);
        }
        // On the others, each event is a change that has happened. Nobody can invent one.
        Ok(LiveRequest::Send { channel, .. }) => {
            let message = format!("{channel} takes no messages: it brings changes");
            subscription.send(&LiveEvent::Error { message });
        }
        Ok(LiveRequest::GetStats) => {
            subscription.send(&LiveEvent::Stats { data: channels.stats() });
        }
        Ok(LiveRequest::Ping) => subscription.send(&LiveEvent::Pong),
        Err(message) => subscription.send(&LiveEvent::Error { message }),
    }
}
