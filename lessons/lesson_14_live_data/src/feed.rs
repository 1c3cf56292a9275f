//! The sockets of those who follow the data.

use axum::{
    Extension, Json,
    extract::{
        Path, State,
        rejection::PathRejection,
        ws::{Message, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};

use crate::{
    Chat,
    channels::{Channel, Channels, Identity, Stats, Subscription},
    door::open_line,
    events::{FromFollower, ToFollower},
    guards::Guest,
    line::Line,
    refusal::Refusal,
    socket::Ending,
};

/// Opens a socket that follows the channel in the path. Without one, it follows nothing
/// until the client subscribes.
pub async fn open_feed(
    first: Result<Option<Path<String>>, PathRejection>,
    identity: Identity,
    Extension(guest): Extension<Guest>,
    State(chat): State<Chat>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let first = first?.map(|Path(name)| Channel::try_from(name)).transpose();
    let first = first.map_err(Refusal::not_found)?;

    let opened = open_line(upgrade?, chat, guest, move |line, chat, _| {
        serve_follower(line.for_a_listener(), chat.channels, identity, first)
    });
    Ok(opened.into_response())
}

pub async fn count_followers(State(chat): State<Chat>) -> Json<Stats> {
    Json(chat.channels.stats())
}

async fn serve_follower(
    mut line: Line,
    channels: Channels,
    identity: Identity,
    first: Option<Channel>,
) {
    let mut subscription = channels.connect(identity, first);
    let ending = converse(&mut line, &mut subscription).await;

    drop(subscription); // Now, not later: a goodbye can take a while.
    line.part(ending).await;
}

async fn converse(line: &mut Line, subscription: &mut Subscription) -> Ending {
    loop {
        let heard = match line.hear(&mut subscription.outbox).await {
            Ok(Message::Text(text)) => FromFollower::parse(&text),
            Ok(_) => Err("this server reads text, not binary".into()),
            Err(ending) => return ending,
        };
        answer(subscription, heard);
    }
}

fn answer(subscription: &Subscription, heard: Result<FromFollower, String>) {
    match heard {
        Ok(FromFollower::Subscribe { channel }) => subscription.subscribe(channel),
        Ok(FromFollower::Unsubscribe { channel }) => subscription.unsubscribe(channel),
        Ok(FromFollower::GetStats) => subscription.say_stats(),
        Ok(FromFollower::Ping) => subscription.say(&ToFollower::Pong),
        Err(message) => subscription.say(&ToFollower::Error { message }),
    }
}
