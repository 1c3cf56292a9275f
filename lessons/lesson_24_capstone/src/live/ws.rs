//! The sockets of subscribers.

use axum::{
    Json,
    extract::{State, ws::Message},
    response::Response,
};

use super::{
    channel::Channel,
    channels::{Channels, Subscription},
    events::{Identity, LiveEvent, LiveRequest, Stats},
};
use crate::{
    names::Username,
    session::{Activity, Disconnect, Session, SessionUpgrade, json::parse},
    telemetry::Socket,
};

/// Opens a socket that is subscribed to the channel in the path. Without one, it is
/// subscribed to nothing until the client subscribes.
pub async fn ws_handler(
    upgrade: SessionUpgrade,
    channel: Option<Channel>,
    identity: Identity,
    State(channels): State<Channels>,
) -> Response {
    upgrade.on_upgrade(Socket::Live, Activity::Traffic, move |session| {
        handle_socket(session, channels, identity, channel)
    })
}

pub async fn get_stats(State(channels): State<Channels>) -> Json<Stats> {
    Json(channels.stats())
}

async fn handle_socket(
    mut session: Session,
    channels: Channels,
    identity: Identity,
    channel: Option<Channel>,
) {
    let mut subscription = channels.connect(identity, channel);
    let disconnect = run(&mut session, &mut subscription).await;

    drop(subscription); // Now, not later: the closing handshake can take a while.
    session.close(&disconnect).await;
}

async fn run(session: &mut Session, subscription: &mut Subscription) -> Disconnect {
    loop {
        let received = match session.recv(&mut subscription.outbox).await {
            Ok(Message::Text(text)) => parse(&text, "action"),
            Ok(_) => Err("this server reads text, not binary".into()),
            Err(disconnect) => return disconnect,
        };
        handle_message(subscription, &session.username, received);
    }
}

fn handle_message(
    subscription: &Subscription,
    username: &Username,
    received: Result<LiveRequest, String>,
) {
    match received {
        Ok(LiveRequest::Subscribe { channel }) => subscription.subscribe(channel),
        Ok(LiveRequest::Unsubscribe { channel }) => subscription.unsubscribe(channel),
        Ok(LiveRequest::Send { channel, message }) => {
            subscription.publish(channel, username, &message);
        }
        Ok(LiveRequest::GetStats) => subscription.send_stats(),
        Ok(LiveRequest::Ping) => subscription.send(&LiveEvent::Pong),
        Err(message) => subscription.send(&LiveEvent::Error { message }),
    }
}
