//! A chat with one room, in memory, which does what a test tells it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{DuplexStream, duplex},
    select,
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{Message, Utf8Bytes, protocol::CloseFrame},
};

use crate::connect::{Open, Stream};

/// How many messages may wait for a member, and for how long.
const OUTBOX_SIZE: usize = 128;
const SEND_TIMEOUT: Duration = Duration::from_millis(500);

/// It is only a handle: all clones are one chat.
#[derive(Clone, Default)]
pub struct Chat {
    /// How long it takes to answer a handshake.
    pub handshake: Duration,
    /// How long it takes to deliver a message.
    pub delay: Duration,
    /// When it stops for a while, counted from the first message, and for how long.
    pub stall: Option<(Duration, Duration)>,
    /// How many connections it takes. The next ones hear nothing.
    pub limit: Option<usize>,
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    outboxes: Vec<mpsc::Sender<Utf8Bytes>>,
    /// When members have come.
    came: Vec<Instant>,
    first_message: Option<Instant>,
}

impl Chat {
    pub fn open(&self) -> Open {
        let chat = self.clone();
        Box::new(move |_, _| {
            let (near, far) = duplex(1024);
            let is_full = chat.limit.is_some_and(|limit| chat.came().len() >= limit);
            chat.state().came.push(Instant::now());
            if !is_full {
                tokio::spawn(chat.clone().serve(far));
            }
            let connected = match is_full {
                true => Err(io::Error::other("This chat is full.")),
                false => Ok(Box::new(near) as Box<dyn Stream>),
            };
            Box::pin(async { connected })
        })
    }

    pub fn came(&self) -> Vec<Instant> {
        self.state().came.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self, stream: DuplexStream) {
        sleep(self.handshake).await;
        let Ok(mut socket) = accept_async(stream).await else { return };
        let (sender, mut outbox) = mpsc::channel(OUTBOX_SIZE);
        self.state().outboxes.push(sender);
        loop {
            select! {
                received = socket.next() => match received {
                    Some(Ok(Message::Text(text))) => drop(tokio::spawn(self.clone().deliver(text))),
                    Some(Ok(_)) => {}
                    _ => return,
                },
                text = outbox.recv() => {
                    let is_sent = async {
                        let text = text.ok_or(())?;
                        let sending = timeout(SEND_TIMEOUT, socket.send(Message::Text(text)));
                        sending.await.map_err(drop)?.map_err(drop)
                    };
                    if is_sent.await.is_err() {
                        let close = CloseFrame { code: 4008.into(), reason: "too slow".into() };
                        let _ = socket.send(Message::Close(Some(close))).await; // Or it left.
                        return;
                    }
                }
            }
        }
    }

    async fn deliver(self, text: Utf8Bytes) {
        let now = Instant::now();
        let first = *self.state().first_message.get_or_insert(now);
        if let Some((after, length)) = self.stall
            && now >= first + after
        {
            sleep_until(first + after + length).await;
        }
        sleep(self.delay).await;
        self.state().outboxes.retain(|outbox| outbox.try_send(text.clone()).is_ok());
    }
}
