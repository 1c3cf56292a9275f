//! Channels: `subscribe`, and `send` to all who have subscribed.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::{
        State,
        ws::{Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use serde::{Deserialize, Serialize};
use tokio::{select, sync::mpsc};

use crate::socket::{close, receive_json, send_json, send_text, with_limits};

/// How many messages may wait for one client. With the next one it is removed.
const OUTBOX_SIZE: usize = 64;

const TOO_SLOW: u16 = 4008;

/// What one can subscribe to.
///
/// Why not any name? Strangers could fill the memory with names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Channel {
    News,
    Weather,
}

/// What a client asks for.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Request {
    Subscribe { channel: Channel },
    Send { channel: Channel, message: String },
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Reply {
    Subscribed { channel: Channel },
    Message { channel: Channel, message: String },
    Error { message: String },
}

/// Everyone who may subscribe. All clones share one list.
#[derive(Clone, Default)]
pub struct Channels {
    clients: Arc<Mutex<Clients>>,
}

#[derive(Default)]
struct Clients {
    last_id: u64,
    subscribers: HashMap<u64, Subscriber>,
}

struct Subscriber {
    channels: HashSet<Channel>,
    outbox: mpsc::Sender<Utf8Bytes>,
}

/// A client is on the list for as long as this lives.
struct Subscription {
    id: u64,
    channels: Channels,
    outbox: mpsc::Receiver<Utf8Bytes>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channels.lock().subscribers.remove(&self.id);
    }
}

impl Channels {
    fn connect(&self) -> Subscription {
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        let subscriber = Subscriber { channels: HashSet::new(), outbox: sender };

        let mut clients = self.lock();
        clients.last_id += 1;
        let id = clients.last_id;
        clients.subscribers.insert(id, subscriber);
        Subscription { id, channels: self.clone(), outbox }
    }

    fn subscribe(&self, id: u64, channel: Channel) {
        if let Some(subscriber) = self.lock().subscribers.get_mut(&id) {
            subscriber.channels.insert(channel);
        }
    }

    /// Puts `text` in the outbox of all who have subscribed. Who has no room is removed.
    fn publish(&self, channel: Channel, text: Utf8Bytes) {
        self.lock().subscribers.retain(|_, subscriber| {
            !subscriber.channels.contains(&channel)
                || subscriber.outbox.try_send(text.clone()).is_ok()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub async fn channels_handler(
    State(channels): State<Channels>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_subscriber(socket, channels))
}

async fn handle_subscriber(mut socket: WebSocket, channels: Channels) {
    let mut subscription = channels.connect();
    loop {
        select! {
            received = receive_json(&mut socket) => {
                let reply = match received {
                    None => break, // The client has left.
                    Some(Err(message)) => Reply::Error { message },
                    Some(Ok(Request::Subscribe { channel })) => {
                        channels.subscribe(subscription.id, channel);
                        Reply::Subscribed { channel }
                    }
                    Some(Ok(Request::Send { channel, message })) => {
                        let text = Reply::Message { channel, message }.encode();
                        channels.publish(channel, text);
                        continue; // The sender gets it, too, if it has subscribed.
                    }
                };
                if send_json(&mut socket, &reply).await.is_err() {
                    break;
                }
            }
            queued = subscription.outbox.recv() => {
                let Some(text) = queued else {
                    return close(socket, TOO_SLOW, "too slow").await; // We were removed.
                };
                if send_text(&mut socket, text).await.is_err() {
                    break;
                }
            }
        }
    }
}

impl Reply {
    fn encode(&self) -> Utf8Bytes {
        serde_json::to_string(self).expect("these types have a JSON form").into()
    }
}
