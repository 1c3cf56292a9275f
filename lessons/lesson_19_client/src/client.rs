//! One task for everything: the keyboard, the socket, and the waits between two connections.

use std::{convert::Infallible, pin::pin, time::Duration};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use rustyline_async::ReadlineEvent;
use tokio::{
    select,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

use crate::{
    connect::{Disconnect, LOST, Server},
    protocol::ClientMessage,
    screen::Screen,
    session::Session,
};

/// How often we send a ping. If nothing comes until the next one, the connection is lost.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How long the server may take to answer our Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The code with which we leave.
const NORMAL: u16 = 1000;

pub struct Client {
    pub session: Session,
    pub screen: Screen,
    /// As whom, and where.
    pub title: String,
    pub is_leaving: bool,
}

impl Client {
    /// Connects, again and again, until somebody leaves. The error is why another try would
    /// not help.
    pub async fn run(&mut self, mut server: Server) -> Result<(), String> {
        while !self.is_done() {
            let position = self.session.position();
            let disconnect = match self.while_typing(server.connect(&position)).await {
                Some(Ok(socket)) => self.handle_socket(socket).await,
                Some(Err(disconnect)) => disconnect,
                None => break,
            };
            if self.is_done() {
                break;
            }
            let Disconnect(mut code, reason) = disconnect;
            let reason = reason.trim().trim_end_matches('.');
            let sentence = format!("* Not connected: {reason} ({code}).");
            // A token is valid for a while, and perhaps for one start of the server. If ours is
            // not any more, the next try signs in again.
            if matches!(code, 401 | 4001) && server.token.take().is_some() {
                code = LOST;
            }
            let Some(wait) = self.session.wait_after(code) else { return Err(sentence) };
            self.show(Some(format!("{sentence} Next try in {} s.", wait.as_secs() + 1)));
            self.while_typing(sleep(wait)).await;
        }
        Ok(())
    }

    /// Waits for `future`, and reads the keyboard meanwhile. `None` if it is time to leave.
    async fn while_typing<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        while !self.is_done() {
            select! {
                output = &mut future => return Some(output),
                event = self.screen.read(self.wants_lines()) => self.take(event),
            }
        }
        None
    }

    /// Carries messages both ways, until one of the two ends the connection, and closes it.
    pub async fn handle_socket(
        &mut self,
        socket: impl Sink<Message, Error = Error> + Stream<Item = Result<Message, Error>>,
    ) -> Disconnect {
        let (mut sink, mut stream) = socket.split();
        let Err(disconnect) = self.carry(&mut sink, &mut stream).await;
        let code = disconnect.0;
        let closing = async {
            if let NORMAL | 1009 = code {
                let close = CloseFrame { code: code.into(), reason: "".into() };
                // If the server was faster, this fails, and there is its Close to read.
                let _ = sink.send(Message::Close(Some(close))).await;
            }
            // While we read, tungstenite answers the server's Close.
            while let Some(Ok(message)) = stream.next().await {
                let _ = self.receive(message); // It may be the Close.
            }
        };
        if code != LOST {
            let _ = timeout(CLOSE_TIMEOUT, closing).await; // The server may never answer.
        }
        disconnect
    }

    async fn carry(
        &mut self,
        sink: &mut (impl Sink<Message, Error = Error> + Unpin),
        stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
    ) -> Result<Infallible, Disconnect> {
        let mut pings = interval(PING_EVERY); // The first is due at once.
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_silent, mut is_flushed) = (false, true);

        while !self.is_done() {
            // Why one at a time? `feed` would wait for a server that does not read, and we
            // would not read meanwhile. After a flush there is room.
            if is_flushed && let Some(message) = self.session.next() {
                sink.feed(message).await?;
                is_flushed = false;
            }
            select! {
                received = stream.next() => {
                    is_silent = false;
                    self.receive(received.ok_or_else(|| lost("it has ended"))??)?;
                }
                flushed = sink.flush(), if !is_flushed => {
                    flushed?;
                    is_flushed = true;
                }
                event = self.screen.read(self.wants_lines()) => self.take(event),
                _ = pings.tick() => {
                    if is_silent {
                        return Err(lost("the server is silent"));
                    }
                    is_silent = true;
                    if is_flushed {
                        sink.feed(ClientMessage::Ping.encode()).await?;
                        is_flushed = false;
                    }
                }
            }
        }
        Err(Disconnect(NORMAL, String::new()))
    }

    fn receive(&mut self, message: Message) -> Result<(), Disconnect> {
        match message {
            Message::Text(text) => {
                let output = self.session.receive(&text);
                self.show(output);
            }
            Message::Close(Some(CloseFrame { code, reason })) => {
                return Err(Disconnect(code.into(), reason.to_string()));
            }
            Message::Close(None) => return Err(lost("a Close without a code")),
            _ => {} // A ping, which tungstenite answers while we read, or not for us.
        }
        Ok(())
    }

    fn take(&mut self, event: ReadlineEvent) {
        match event {
            ReadlineEvent::Line(line) => {
                let output = self.session.say(&line);
                self.show(output);
            }
            ReadlineEvent::Eof => self.is_leaving = true, // When all is sent.
            ReadlineEvent::Interrupted => {
                self.is_leaving = true;
                self.session.forget_pending();
            }
        }
    }

    fn show(&mut self, output: Option<String>) {
        if let Some(text) = output
            && self.screen.show(&text).is_err()
        {
            self.take(ReadlineEvent::Interrupted); // Nobody reads it, as after `| head`.
        }
    }

    fn wants_lines(&self) -> bool {
        !self.is_leaving && self.session.has_room()
    }

    /// Shows the state, and returns whether it is time to leave.
    fn is_done(&mut self) -> bool {
        let end = if self.is_leaving { " (leaves when all is sent)" } else { "" };
        let state = self.session.state();
        self.screen.set_prompt(format!("{}{state}{end}> ", self.title));
        self.is_leaving && self.session.pending() == 0
    }
}

fn lost(reason: &str) -> Disconnect {
    Disconnect(LOST, reason.into())
}
