//! A page's connection: a snapshot of the class, and then what changes.

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, close_code},
    },
    response::Response,
};
use tokio::select;

use crate::{
    class::{Class, OUTBOX_SIZE, Subscription},
    connection::Connection,
    join::Addresses,
    socket::Disconnect,
    upgrade::{AllowedOrigin, Limits},
};

const TOO_MANY_PAGES: Disconnect =
    Disconnect::ByUs(close_code::AGAIN, "too many pages show the class");

pub async fn ws_handler(
    _: AllowedOrigin,
    upgrade: WebSocketUpgrade,
    State(class): State<Class>,
    State(limits): State<Limits>,
    State(addresses): State<Addresses>,
) -> Response {
    limits.pages.on_upgrade(upgrade, move |connection| {
        handle_socket(connection, class, addresses)
    })
}

async fn handle_socket(mut connection: Connection, class: Class, addresses: Addresses) {
    let disconnect = match class.subscribe(&addresses.urls()) {
        Some(mut subscription) => run(&mut connection, &mut subscription).await,
        None => TOO_MANY_PAGES,
    };
    connection.close(&disconnect).await;
}

async fn run(connection: &mut Connection, subscription: &mut Subscription) -> Disconnect {
    let mut queued = Vec::new();
    loop {
        select! {
            // A page has nothing to say. We read it all the same: otherwise we would not
            // see its pongs and its Close.
            received = connection.recv() => {
                let answered = match received {
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => connection.ping().await,
                    Err(disconnect) => Err(disconnect),
                };
                if let Err(disconnect) = answered {
                    return disconnect;
                }
            }
            count = subscription.outbox.recv_many(&mut queued, OUTBOX_SIZE) => {
                if count == 0 {
                    return Disconnect::TOO_SLOW; // The outbox was full, and was closed.
                }
                let events = queued.drain(..).map(Message::Text);
                if let Err(disconnect) = connection.send_all(events).await {
                    return disconnect;
                }
            }
        }
    }
}
