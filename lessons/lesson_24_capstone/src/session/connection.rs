//! A session: it carries messages both ways, and finds out when the client is gone.

use std::{future::pending, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use serde::Serialize;
use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

use super::{
    heartbeat::{Activity, Due, Heartbeat},
    json::encode,
    outbox::{Batch, Outgoing},
    socket::{Disconnect, close, send_all},
};
use crate::{
    auth::CurrentUser,
    limits::{ConnectionPermit, RateLimited, RateLimiter},
    names::Username,
    server::Shutdown,
    telemetry::Connection,
};

/// How long a client may take to answer the Close of a connection that is one too many. Until
/// it is gone, it counts in the total of all.
const SURPLUS_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A WebSocket of somebody who has signed in, for as long as the token is valid.
pub struct Session {
    pub username: Username,
    pub permit: ConnectionPermit,
    /// What is counted and logged of it.
    pub connection: Connection,
    socket: WebSocket,
    expires: Instant,
    heartbeat: Heartbeat,
    limiter: RateLimiter,
    shutdown: Shutdown,
    /// Whether what comes too fast waits, and is not refused.
    delays_excess: bool,
    /// What came too fast, and until when it waits. Meanwhile we do not read.
    waiting: Option<(Message, Instant)>,
}

/// What the session itself sends, whatever it is used for.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Notice {
    /// The message was refused: it came too fast.
    Error { message: String },
}

impl Session {
    pub(super) fn new(
        socket: WebSocket,
        user: CurrentUser,
        connection: Connection,
        activity: Activity,
        permit: ConnectionPermit,
        limiter: RateLimiter,
        shutdown: Shutdown,
    ) -> Self {
        let CurrentUser { username, expires, .. } = user;
        let heartbeat = Heartbeat::new(activity);
        Self {
            username,
            permit,
            connection,
            socket,
            expires,
            heartbeat,
            limiter,
            shutdown,
            delays_excess: false,
            waiting: None,
        }
    }

    /// From now on, what comes too fast waits in the connection, and is not refused: traffic is
    /// shaped instead of policed.
    ///
    /// This is for a client that sends again what was refused: that would be one message more.
    pub fn delay_excess(&mut self) {
        self.delays_excess = true;
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
            let may_read = self.waiting.is_none() && outgoing.may_receive();
            let waits_until = self.waiting.as_ref().map(|(_, until)| *until);
            let received = select! {
                received = receive(&mut self.socket, &mut self.heartbeat), if may_read => {
                    let received = received?;
                    self.count(received.as_ref());
                    received
                }
                () = until(waits_until) => self.waiting.take().map(|(message, _)| message),
                batch = outgoing.recv() => {
                    self.send_batch(batch?).await?;
                    continue;
                }
                () = sleep_until(self.expires) => return Err(Disconnect::TOKEN_EXPIRED),
                () = self.shutdown.stopping() => {
                    self.send_batch(outgoing.finish().await).await?; // It was said before the end.
                    return Err(Disconnect::GOING_AWAY);
                }
            };
            match received {
                // It comes too late: some of the others may have left already.
                Some(_) if self.shutdown.is_stopping() => {}
                Some(message) => {
                    if let Some(message) = self.admit(message, outgoing).await? {
                        return Ok(message);
                    }
                }
                None => self.send([Message::Ping(Bytes::new())]).await?,
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
    pub async fn close(mut self, disconnect: &Disconnect) {
        self.connection.ends(disconnect.cause(), disconnect.code());
        let is_surplus = self.permit.is_surplus();
        self.permit.give_up(); // The client may connect again before it has answered.
        let closing = close(self.socket, disconnect);
        if is_surplus {
            let _ = timeout(SURPLUS_CLOSE_TIMEOUT, closing).await; // Or it does not answer.
        } else {
            closing.await;
        }
    }

    /// Lets a text or a binary message pass, unless it comes too fast. Then it waits, or the
    /// client gets an error.
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
        if self.delays_excess {
            let Err(wait) = self.limiter.check_or_delay(&self.username) else {
                return Ok(Some(message).filter(|_| is_data));
            };
            self.waiting = Some((message, Instant::now() + wait));
            return Ok(None);
        }
        match self.limiter.check(&self.username) {
            Ok(()) => Ok(Some(message).filter(|_| is_data)),
            Err(RateLimited::TooManyRefusals(_)) => Err(Disconnect::TOO_MANY_MESSAGES),
            Err(RateLimited::Wait(_)) if !is_data => Ok(None),
            Err(RateLimited::Wait(wait)) => {
                self.connection.metrics.refused.inc();
                let seconds = (10.0 * wait.as_secs_f64()).ceil() / 10.0; // Never 0.0.
                let message =
                    format!("too many messages: try again in {seconds:.1} seconds");
                self.send_batch(outgoing.drain()).await?; // Answers to what came before.
                self.send_json(&Notice::Error { message }).await?;
                Ok(None)
            }
        }
    }

    fn count(&self, received: Option<&Message>) {
        match received {
            Some(Message::Text(_) | Message::Binary(_)) => {
                self.connection.metrics.messages.inc();
            }
            Some(_) => drop(self.connection.metrics.control_frames.inc()),
            None => {}
        }
    }

    async fn send_batch(&mut self, batch: Batch) -> Result<(), Disconnect> {
        let count = batch.len() as u64;
        self.send(batch.into_iter().map(Message::Text)).await?;
        self.connection.metrics.deliveries.inc_by(count);
        Ok(())
    }

    async fn send(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), Disconnect> {
        send_all(&mut self.socket, messages, &self.connection.metrics).await
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
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
