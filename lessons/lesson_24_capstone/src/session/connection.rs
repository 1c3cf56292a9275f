//! A session: it carries messages both ways, and finds out when the client is gone.

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use serde::Serialize;
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{
    heartbeat::{Activity, Due, Heartbeat},
    json::encode,
    outbox::{Batch, Outgoing},
    socket::{Disconnect, close, send_all},
};
use crate::{
    auth::CurrentUser,
    limits::{RateLimited, RateLimiter},
    names::Username,
    server::Shutdown,
};

/// A WebSocket of somebody who has signed in, for as long as the token is valid.
pub struct Session {
    pub username: Username,
    socket: WebSocket,
    expires: Instant,
    heartbeat: Heartbeat,
    limiter: RateLimiter,
    shutdown: Shutdown,
}

/// What the session itself sends, whatever it is used for.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Notice {
    /// So many messages were dropped, because this client was too slow for them.
    Missed { count: usize },
    /// The message was refused: it came too fast.
    Error { message: String },
}

impl Session {
    pub(super) fn new(
        socket: WebSocket,
        user: CurrentUser,
        activity: Activity,
        limiter: RateLimiter,
        shutdown: Shutdown,
    ) -> Self {
        let CurrentUser { username, expires, .. } = user;
        let heartbeat = Heartbeat::new(activity);
        Self { username, socket, expires, heartbeat, limiter, shutdown }
    }

    /// Waits for the next message from the client, which is text or binary.
    ///
    /// Meanwhile it sends what comes from `outgoing`, pings the client, and refuses what
    /// comes too fast. The error says how the connection ended; then call [`close`].
    ///
    /// [`close`]: Session::close
    pub async fn recv(
        &mut self,
        outgoing: &mut impl Outgoing,
    ) -> Result<Message, Disconnect> {
        loop {
            select! {
                received = receive(&mut self.socket, &mut self.heartbeat) => match received? {
                    Some(message) => {
                        if let Some(message) = self.admit(message, outgoing).await? {
                            return Ok(message);
                        }
                    }
                    None => self.send([Message::Ping(Bytes::new())]).await?,
                },
                batch = outgoing.recv() => {
                    self.send_batch(batch.ok_or(Disconnect::TOO_SLOW)?).await?;
                }
                () = sleep_until(self.expires) => return Err(Disconnect::TOKEN_EXPIRED),
                () = self.shutdown.stopping() => {
                    self.send_batch(outgoing.drain()).await?; // It was said before the end.
                    return Err(Disconnect::GOING_AWAY);
                }
            }
        }
    }

    /// Notes that a person uses the client, and that it is not a page alone.
    pub fn used(&mut self) {
        self.heartbeat.used();
    }

    /// Sends one message, and waits until the kernel has taken it.
    pub async fn send_json(
        &mut self,
        message: &impl Serialize,
    ) -> Result<(), Disconnect> {
        self.send([Message::Text(encode(message))]).await
    }

    /// Carries out the closing handshake, and drops the connection.
    pub async fn close(self, disconnect: &Disconnect) {
        close(self.socket, disconnect).await;
    }

    /// Lets a text or a binary message pass, unless it comes too fast.
    ///
    /// Why count pings and pongs, too? Each costs time to read, and we answer pings.
    async fn admit(
        &mut self,
        message: Message,
        outgoing: &mut impl Outgoing,
    ) -> Result<Option<Message>, Disconnect> {
        if let Message::Close(frame) = message {
            return Err(Disconnect::ByClient(frame.map(|frame| frame.code)));
        }
        let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
        match self.limiter.check(&self.username) {
            Ok(()) => Ok(Some(message).filter(|_| is_data)),
            Err(RateLimited::TooManyRefusals(_)) => Err(Disconnect::TOO_MANY_MESSAGES),
            Err(RateLimited::Wait(_)) if !is_data => Ok(None),
            Err(RateLimited::Wait(wait)) => {
                let seconds = (10.0 * wait.as_secs_f64()).ceil() / 10.0; // Never 0.0.
                let message =
                    format!("too many messages: try again in {seconds:.1} seconds");
                self.send_batch(outgoing.drain()).await?; // Answers to what came before.
                self.send_json(&Notice::Error { message }).await?;
                Ok(None)
            }
        }
    }

    async fn send_batch(&mut self, batch: Batch) -> Result<(), Disconnect> {
        let Batch { missed, messages } = batch;
        if missed > 0 {
            self.send_json(&Notice::Missed { count: missed }).await?;
        }
        self.send(messages.into_iter().map(Message::Text)).await
    }

    async fn send(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), Disconnect> {
        send_all(&mut self.socket, messages).await
    }
}

/// The next message of the client, or `None` when a ping is due. Cancel safe.
async fn receive(
    socket: &mut WebSocket,
    heartbeat: &mut Heartbeat,
) -> Result<Option<Message>, Disconnect> {
    select! {
        // In this order, and not at random: while we write, nobody reads. What has come
        // meanwhile is in time.
        biased;

        received = socket.recv() => {
            heartbeat.received();
            Ok(Some(received.ok_or(Disconnect::Lost)??))
        }
        due = heartbeat.due() => match due {
            Due::Ping => Ok(None),
            Due::NoPong => Err(Disconnect::NO_PONG),
            Due::Idle => Err(Disconnect::IDLE),
        },
    }
}
