use std::{fmt::Write, future::Future, panic::Location, time::Duration};

use axum::body::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    select,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::client::Response,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use crate::{Check, Expected, Hint, WAIT, connection::Connection, server::Conversation};

/// How many messages a client keeps that the test has not asked for yet.
const INBOX_SIZE: usize = 10_000;

const ONE_SECOND: Duration = Duration::from_secs(1);

/// How much of a message a hint repeats, in characters.
const SHOWN: usize = 200;

/// A client that sends what a test tells it to, and remembers what it receives.
///
/// It reads all the time, and answers pings, until it is told to stop. Dropping it
/// drops its connection, without a Close.
pub struct Client {
    name: String,
    /// The server's response to the request for the upgrade.
    pub response: Response,
    sink: SplitSink<WebSocketStream<Connection>, Message>,
    connection: Connection,
    inbox: mpsc::Receiver<Event>,
    reading: watch::Sender<bool>,
    reader: JoinHandle<()>,
    conversation: Conversation,
    ignored: Ignored,
    settles: bool,
}

/// What a client passes over in JSON messages.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ignored {
    /// Messages of these types.
    pub types: &'static [&'static str],
    /// These fields of the others.
    pub fields: &'static [&'static str],
}

/// Something that came from the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    Text(String),
    Binary(Bytes),
    Pong(Bytes),
    Close(Option<(u16, String)>),
    /// The connection is at its end: after the closing handshake, or without.
    End {
        clean: bool,
    },
}

impl Ignored {
    /// What is left of a message, if anything.
    fn leaves_of(&self, text: String) -> Option<String> {
        if self.types.is_empty() && self.fields.is_empty() {
            return Some(text);
        }
        let Ok(Value::Object(mut message)) = serde_json::from_str(&text) else {
            return Some(text);
        };
        let kind = message.get("type").and_then(Value::as_str);
        if kind.is_some_and(|kind| self.types.contains(&kind)) {
            return None;
        }
        let before = message.len();
        message.retain(|field, _| !self.fields.contains(&field.as_str()));
        let changed = message.len() < before;
        Some(if changed { Value::from(message).to_string() } else { text })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Client {
    pub(crate) fn new(
        name: &str,
        socket: WebSocketStream<Connection>,
        connection: Connection,
        response: Response,
        conversation: Conversation,
        ignored: Ignored,
        settles: bool,
    ) -> Self {
        let (sink, stream) = socket.split();
        let (sender, inbox) = mpsc::channel(INBOX_SIZE);
        let (reading, may_read) = watch::channel(true);
        let reader = tokio::spawn(read(
            name.into(),
            stream,
            sender,
            may_read,
            conversation.clone(),
        ));
        let name = name.into();
        Self {
            name,
            response,
            sink,
            connection,
            inbox,
            reading,
            reader,
            conversation,
            ignored,
            settles,
        }
    }

    /// Sends a text message.
    pub async fn says(&mut self, text: impl Into<String>) -> Check {
        let text = text.into();
        self.note(&format!("sends    {}", shortened(&text)));
        self.send(Message::text(text)).await
    }

    /// Sends a binary message.
    pub async fn sends_binary(&mut self, bytes: &[u8]) -> Check {
        self.note(&format!("sends    {} bytes", bytes.len()));
        self.send(Message::binary(bytes.to_vec())).await
    }

    /// Sends a ping.
    pub async fn pings(&mut self, payload: &[u8]) -> Check {
        self.note("pings");
        self.send(Message::Ping(payload.to_vec().into())).await
    }

    /// Sends one text message in several frames. Without `last`, it stays unfinished.
    pub async fn sends_fragments(&mut self, parts: &[&str], last: bool) -> Check {
        self.note(&format!("sends    a message in {} fragments", parts.len()));
        for (i, part) in parts.iter().enumerate() {
            let kind = if i == 0 { Data::Text } else { Data::Continue };
            let end = last && i + 1 == parts.len();
            let bytes = Bytes::copy_from_slice(part.as_bytes());
            let frame = Frame::message(bytes, OpCode::Data(kind), end);
            self.send(Message::Frame(frame)).await?;
        }
        Ok(())
    }

    /// Writes bytes to the connection as they are, past every rule of the protocol.
    pub async fn writes_raw(&mut self, bytes: &[u8]) -> Check {
        self.note(&format!("writes   {} raw bytes", bytes.len()));
        match timeout(WAIT, self.connection.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.hint(format!("could not write: {error}"))),
            Err(_) => Err(self.hint("could not write: the server does not read")),
        }
    }

    /// Waits for the next text message, which must be the expected one.
    #[track_caller]
    pub fn hears(
        &mut self,
        expected: impl Into<Expected>,
    ) -> impl Future<Output = Check> + '_ {
        let (expected, caller) = (expected.into(), Location::caller());
        async move {
            match self.next(WAIT).await {
                Some(Event::Text(text)) if expected.matches(&text) => Ok(()),
                came => Err(self.instead_of(&expected, came, caller)),
            }
        }
    }

    /// Waits for the next text message, whatever it is.
    #[track_caller]
    pub fn hears_any(&mut self) -> impl Future<Output = Result<String, Hint>> + '_ {
        let caller = Location::caller();
        async move {
            match self.next(WAIT).await {
                Some(Event::Text(text)) => Ok(text),
                came => Err(self.instead("hear something", came, WAIT, caller)),
            }
        }
    }

    /// Waits for the next message, which must be binary and have these bytes.
    #[track_caller]
    pub fn hears_binary(&mut self, expected: &[u8]) -> impl Future<Output = Check> + '_ {
        let (expected, caller) = (Bytes::copy_from_slice(expected), Location::caller());
        async move {
            let goal = format!("hear the {} bytes", expected.len());
            match self.next(WAIT).await {
                Some(Event::Binary(bytes)) if bytes == expected => Ok(()),
                came => Err(self.instead(&goal, came, WAIT, caller)),
            }
        }
    }

    /// Waits for the pong to a ping, and passes over everything else.
    #[track_caller]
    pub fn hears_pong<'a>(
        &'a mut self,
        expected: &'a [u8],
    ) -> impl Future<Output = Check> + 'a {
        let caller = Location::caller();
        async move {
            loop {
                match timeout(WAIT, self.inbox.recv()).await {
                    Ok(Some(Event::Pong(payload))) if payload == expected => {
                        return Ok(());
                    }
                    Ok(Some(Event::Pong(_) | Event::Text(_) | Event::Binary(_))) => {}
                    came => {
                        let end = Event::End { clean: false };
                        let came = came.map(|came| came.unwrap_or(end)).ok();
                        return Err(self.instead("hear a pong", came, WAIT, caller));
                    }
                }
            }
        }
    }

    /// How many pongs come until nothing has come for a second.
    pub async fn counts_pongs(&mut self) -> usize {
        let mut pongs = 0;
        while let Ok(Some(event)) = timeout(ONE_SECOND, self.inbox.recv()).await {
            pongs += usize::from(matches!(event, Event::Pong(_)));
        }
        pongs
    }

    /// Expects that no message comes, and that the connection stays open.
    #[track_caller]
    pub fn hears_nothing_for(
        &mut self,
        time: Duration,
    ) -> impl Future<Output = Check> + '_ {
        let caller = Location::caller();
        async move {
            match self.next(time).await {
                None => Ok(()),
                came => Err(self.instead(
                    &format!("hear nothing for {}", seconds(time)),
                    came,
                    time,
                    caller,
                )),
            }
        }
    }

    /// Everything that comes until nothing has come for `pause`.
    pub async fn hears_out(&mut self, pause: Duration) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(Event::Text(text)) = self.next(pause).await {
            heard.push(text);
        }
        heard
    }

    /// Expects the server to close now, with this code and reason, and both sides to
    /// finish the closing handshake.
    #[track_caller]
    pub fn is_closed(
        &mut self,
        code: u16,
        reason: &str,
    ) -> impl Future<Output = Check> + '_ {
        let (reason, caller) = (reason.to_owned(), Location::caller());
        async move {
            let goal = format!("be closed with {code} {reason:?}");
            let came = self.next(WAIT).await;
            if came != Some(Event::Close(Some((code, reason)))) {
                return Err(self.instead(&goal, came, WAIT, caller));
            }
            match self.next(WAIT).await {
                Some(Event::End { .. }) => Ok(()),
                came => Err(self.instead("see the connection end", came, WAIT, caller)),
            }
        }
    }

    /// Passes over what still comes, until the server closes with this code and reason.
    #[track_caller]
    pub fn is_closed_in_the_end(
        &mut self,
        code: u16,
        reason: &str,
    ) -> impl Future<Output = Check> + '_ {
        let (expected, caller) = (Some((code, reason.to_owned())), Location::caller());
        let goal = format!("be closed with {code} {reason:?}");
        async move {
            loop {
                match self.next(WAIT).await {
                    Some(Event::Text(_) | Event::Binary(_)) => {}
                    Some(Event::Close(came)) if came == expected => return Ok(()),
                    came => return Err(self.instead(&goal, came, WAIT, caller)),
                }
            }
        }
    }

    /// Passes over what still comes, until the connection is lost. A Close must not be
    /// among it: it would mean that the server has waited for this client.
    pub async fn finds_the_connection_lost(&mut self) -> Check {
        loop {
            match self.next(WAIT).await {
                Some(Event::End { .. }) => return Ok(()),
                Some(Event::Close(_)) => {
                    return Err(
                        self.hint("should lose its connection, but the server sent a Close, and so it has waited")
                    );
                }
                Some(_) => {}
                None => return Err(self.hint("is still connected, and nothing comes")),
            }
        }
    }

    /// Closes with 1000, and expects the server to answer with the same.
    #[track_caller]
    pub fn leaves(self) -> impl Future<Output = Check> {
        self.leaves_with(1000, "")
    }

    /// Closes with a code and a reason, and expects the server to answer with the same
    /// code before it drops the connection. Messages that come in between are passed over.
    #[track_caller]
    pub fn leaves_with(
        mut self,
        code: u16,
        reason: &str,
    ) -> impl Future<Output = Check> + use<> {
        let (reason, caller) = (reason.to_owned(), Location::caller());
        async move {
            self.note(&format!("closes   {code} {reason}"));
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            self.send(Message::Close(Some(frame))).await?;

            loop {
                match self.next(WAIT).await {
                    Some(Event::Text(_) | Event::Binary(_)) => {}
                    Some(Event::Close(Some((answer, _)))) if answer == code => {}
                    Some(Event::End { clean: true }) => break,
                    came => {
                        let goal = format!("have its Close {code} answered");
                        return Err(self.instead(&goal, came, WAIT, caller));
                    }
                }
            }
            self.settle().await;
            Ok(())
        }
    }

    /// Drops the connection, without a Close.
    pub async fn vanishes(self) {
        let settles = self.settles;
        self.note("vanishes");
        drop(self);
        settle(settles).await;
    }

    /// Resets the connection (a TCP RST), as the end of a crashing program does. Only over TCP.
    pub async fn resets(self) -> Check {
        self.note("resets the connection");
        self.connection
            .will_reset()
            .map_err(|error| self.hint(format!("could not: {error}")))
    }

    /// Reads nothing any more, as a client does whose page is frozen. Pings stay
    /// unanswered, and what the server sends fills the buffers of the connection.
    pub fn stops_reading(&mut self) {
        self.note("stops reading");
        self.reading.send_replace(false);
    }

    /// Reads again, beginning with what has been waiting.
    pub fn reads_again(&mut self) {
        self.note("reads again");
        self.reading.send_replace(true);
    }

    async fn send(&mut self, message: Message) -> Check {
        match timeout(WAIT, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.hint(format!("could not send: {error}"))),
            Err(_) => Err(self.hint("could not send: the server does not read")),
        }
    }

    /// The next event that is no pong and not ignored, or `None` after `limit`.
    pub(crate) async fn next(&mut self, limit: Duration) -> Option<Event> {
        let next = async {
            loop {
                match self.inbox.recv().await {
                    Some(Event::Pong(_)) => {}
                    Some(Event::Text(text)) => {
                        if let Some(text) = self.ignored.leaves_of(text) {
                            return Event::Text(text);
                        }
                    }
                    Some(event) => return event,
                    None => return Event::End { clean: false },
                }
            }
        };
        timeout(limit, next).await.ok()
    }

    /// The same as `instead`. Of two long messages it shows the difference alone.
    fn instead_of(
        &self,
        expected: &Expected,
        came: Option<Event>,
        caller: &Location,
    ) -> Hint {
        let difference = match &came {
            Some(Event::Text(text)) => expected.difference(text),
            _ => None,
        };
        let Some(difference) = difference else {
            let goal = format!("hear {}", shortened(&expected.to_string()));
            return self.instead(&goal, came, WAIT, caller);
        };
        let position = format!("({}:{})", caller.file(), caller.line());
        self.conversation.hint(format!(
            "{} heard a message that is not as it should be: {difference}. {position}",
            self.name
        ))
    }

    /// A hint that says what should have come, and what came instead.
    pub(crate) fn instead(
        &self,
        goal: &str,
        came: Option<Event>,
        waited: Duration,
        caller: &Location,
    ) -> Hint {
        let came = match came {
            None => format!("heard nothing for {}", seconds(waited)),
            Some(Event::Text(text)) if text.starts_with('{') => {
                format!("heard {}", shortened(&text)) // JSON reads best as it is.
            }
            Some(Event::Text(text)) => format!("heard {:?}", shortened(&text)),
            Some(Event::Binary(bytes)) => format!("heard {} bytes", bytes.len()),
            Some(Event::Pong(_)) => "heard a pong".into(),
            Some(Event::Close(Some((code, reason)))) => {
                format!("was closed with {code} {reason:?}")
            }
            Some(Event::Close(None)) => "was closed without a code".into(),
            Some(Event::End { clean: true }) => "the connection ended".into(),
            Some(Event::End { clean: false }) => {
                "the connection was lost, without a Close".into()
            }
        };
        let position = format!("({}:{})", caller.file(), caller.line());
        self.conversation
            .hint(format!("{} should {goal}, but {came}. {position}", self.name))
    }

    fn hint(&self, what: impl Into<String>) -> Hint {
        self.conversation.hint(format!("{} {}.", self.name, what.into()))
    }

    fn note(&self, what: &str) {
        self.conversation.note(format!("{} {what}", self.name));
    }

    async fn settle(&self) {
        settle(self.settles).await;
    }
}

/// Waits until every task waits. On a paused clock that costs no time.
pub(crate) async fn settle(settles: bool) {
    if settles {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Reads whatever comes, for as long as the client may read.
async fn read(
    name: String,
    mut stream: SplitStream<WebSocketStream<Connection>>,
    inbox: mpsc::Sender<Event>,
    mut may_read: watch::Receiver<bool>,
    conversation: Conversation,
) {
    loop {
        if may_read.wait_for(|&may| may).await.is_err() {
            return; // The client is gone.
        }
        let event = select! {
            biased;
            changed = may_read.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            came = stream.next() => match came {
                Some(Ok(Message::Text(text))) => Event::Text(text.to_string()),
                Some(Ok(Message::Binary(bytes))) => Event::Binary(bytes),
                Some(Ok(Message::Pong(payload))) => Event::Pong(payload),
                Some(Ok(Message::Close(frame))) => Event::Close(
                    frame.map(|frame| (frame.code.into(), frame.reason.to_string())),
                ),
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => continue,
                None | Some(Err(Error::ConnectionClosed)) => Event::End { clean: true },
                Some(Err(_)) => Event::End { clean: false },
            },
        };

        let over = matches!(event, Event::End { .. });
        match &event {
            Event::Text(text) => {
                conversation.note(format!("{name} receives {}", shortened(text)));
            }
            Event::Binary(bytes) => {
                conversation.note(format!("{name} receives {} bytes", bytes.len()));
            }
            Event::Close(Some((code, reason))) => {
                conversation.note(format!("{name} is closed {code} {reason}"));
            }
            Event::Close(None) => conversation.note(format!("{name} is closed")),
            Event::End { clean: false } => {
                conversation.note(format!("{name} loses the connection"))
            }
            Event::Pong(_) | Event::End { clean: true } => {}
        }
        if inbox.send(event).await.is_err() || over {
            return;
        }
    }
}

/// A text, or its beginning and its length.
pub(crate) fn shortened(text: &str) -> String {
    shortened_to(SHOWN, text)
}

pub(crate) fn shortened_to(limit: usize, text: &str) -> String {
    let mut shown: String = text.chars().take(limit).collect();
    if shown.len() < text.len() {
        let _ = write!(shown, "… ({} bytes)", text.len());
    }
    shown
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
