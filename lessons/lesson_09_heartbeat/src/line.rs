//! The line to one client: it carries messages both ways, and finds out when it is dead.

use axum::{
    body::Bytes,
    extract::ws::{Message, Utf8Bytes, WebSocket},
};
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    heartbeat::{Beat, Heartbeat},
    rooms::OUTBOX_SIZE,
    socket::{Ending, send_all},
};

/// A socket that somebody uses, for as long as the token is good.
pub struct Line {
    socket: WebSocket,
    heartbeat: Heartbeat,
    expires: Instant,
}

impl Line {
    pub fn new(socket: WebSocket, expires: Instant) -> Self {
        Self { socket, heartbeat: Heartbeat::start(), expires }
    }

    /// Waits for the next message from the client, which is text or binary.
    ///
    /// Meanwhile it empties the outbox, asks for signs of life, and keeps an eye on the
    /// clock. The error is the end of the conversation.
    pub async fn hear(
        &mut self,
        outbox: &mut mpsc::Receiver<Utf8Bytes>,
    ) -> Result<Message, Ending> {
        let mut waiting = Vec::new();

        loop {
            select! {
                heard = self.socket.recv() => {
                    let message = heard.ok_or(Ending::Dropped)??;
                    self.heartbeat.is_alive();
                    match message {
                        Message::Text(_) | Message::Binary(_) => return Ok(message),
                        Message::Ping(_) | Message::Pong(_) => {}
                        Message::Close(frame) => return Err(Ending::Closed(frame)),
                    }
                }
                count = outbox.recv_many(&mut waiting, OUTBOX_SIZE) => {
                    if count == 0 {
                        return Err(Ending::TOO_SLOW);
                    }
                    self.say(waiting.drain(..).map(Message::Text)).await?;
                }
                beat = self.heartbeat.next() => match beat {
                    Beat::Ask => self.say([Message::Ping(Bytes::new())]).await?,
                    Beat::Gone => return Err(Ending::NO_SIGN_OF_LIFE),
                    Beat::Idle => return Err(Ending::IDLE),
                },
                () = sleep_until(self.expires) => return Err(Ending::TOKEN_EXPIRED),
            }
        }
    }

    /// Takes note that a person is there, and not a page alone.
    pub fn is_in_use(&mut self) {
        self.heartbeat.is_in_use();
    }

    /// Says goodbye, and hears the other side out.
    pub async fn part(self, ending: Ending) {
        ending.part(self.socket).await;
    }

    async fn say(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), Ending> {
        let start = Instant::now();
        let sent = send_all(&mut self.socket, messages).await;

        // While we write, we do not listen: a sign of life may be waiting.
        self.heartbeat.excuse(start);
        sent
    }
}
