//! The line to one client: it carries messages both ways, and finds out when it is dead.

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use crate::{
    heartbeat::{Beat, Heartbeat},
    outbox::{Source, Waiting},
    pace::{Pace, TooFast},
    protocol::ToClient,
    socket::{Ending, send_all},
};

/// A socket that somebody uses, for as long as the token is good.
pub struct Line {
    socket: WebSocket,
    heartbeat: Heartbeat,
    pace: Pace,
    expires: Instant,
}

impl Line {
    pub fn new(socket: WebSocket, expires: Instant, pace: Pace) -> Self {
        Self { socket, heartbeat: Heartbeat::start(), pace, expires }
    }

    /// The same line, to somebody who is here to listen, and need not say anything.
    pub fn for_a_listener(self) -> Self {
        Self { heartbeat: Heartbeat::of_a_listener(), ..self }
    }

    /// Waits for the next message from the client, which is text or binary.
    ///
    /// Meanwhile it sends what there is to send, asks for signs of life, and keeps an eye
    /// on the clock. The error is the end of the conversation.
    pub async fn hear(&mut self, source: &mut impl Source) -> Result<Message, Ending> {
        loop {
            select! {
                heard = self.socket.recv() => {
                    let message = heard.ok_or(Ending::Dropped)??;
                    self.heartbeat.is_alive();
                    if let Some(message) = self.admit(message, source).await? {
                        return Ok(message);
                    }
                }
                waiting = source.take() => {
                    self.deliver(waiting.ok_or(Ending::TOO_SLOW)?).await?;
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

    /// Lets a text or a binary message pass, unless they come too fast.
    ///
    /// Why count pings, too? We answer them, and that costs as much.
    async fn admit(
        &mut self,
        message: Message,
        source: &mut impl Source,
    ) -> Result<Option<Message>, Ending> {
        let pace = self.pace.check();

        match (message, pace) {
            (Message::Close(frame), _) => Err(Ending::Closed(frame)),
            (_, Err(TooFast::Enough)) => Err(Ending::TOO_FAST),
            (Message::Ping(_) | Message::Pong(_), _) => Ok(None),
            (message, Ok(())) => Ok(Some(message)),
            (_, Err(TooFast::Wait(wait))) => {
                let seconds = (10.0 * wait.as_secs_f64()).ceil() / 10.0; // Never 0.0.
                let message =
                    format!("too many messages: try again in {seconds:.1} seconds");
                self.deliver(source.take_now()).await?; // The answers to what came before.
                self.tell(&ToClient::Error { message }).await?;
                Ok(None)
            }
        }
    }

    /// Writes what was waiting for the client.
    async fn deliver(&mut self, waiting: Waiting) -> Result<(), Ending> {
        let Waiting { missed, messages } = waiting;
        if missed > 0 {
            self.tell(&ToClient::Missed { count: missed }).await?;
        }
        self.say(messages.into_iter().map(Message::Text)).await
    }

    async fn tell(&mut self, message: &ToClient<'_>) -> Result<(), Ending> {
        self.say([Message::Text(message.encode())]).await
    }

    /// Sends messages at once, and waits until the line has taken them.
    pub async fn say(
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
