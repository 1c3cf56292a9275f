//! Wrong: nothing changes after the warning, so that it is due again in each turn.
//!
//! Refused by step_1_a_warning_comes_after_nine_minutes:
//! "Ana was warned half a minute ago. Once is enough."

#![allow(unused)] // As in the stub.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use serde::{Deserialize, Serialize};
use tokio::{
    select,
    sync::broadcast,
    time::{Instant, sleep_until},
};

use crate::{
    connection::{encode, send_text},
    protocol::{Content, Username},
    socket::{Disconnect, close, with_limits},
};

/// How long somebody may be silent before the warning.
const WARNING_AFTER: Duration = Duration::from_secs(9 * 60);

/// How long somebody has after the warning.
const WARNING_TIME: Duration = Duration::from_secs(60);

/// The client is there, but nobody uses it: as in lesson 09.
const IDLE: Disconnect = Disconnect::ByUs(4011, "idle");

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Chat { content: Content },
    Ping,
}

#[derive(Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage {
    Chat { from: Username, content: Content },
    Pong,
    IdleWarning { seconds_left: u64 },
    Error { message: String },
}

/// How many messages may wait for one client. If it has missed one, it counts as too slow.
const QUEUE_SIZE: usize = 256;

/// What one client sends, all receive.
type Chat = broadcast::Sender<ServerMessage>;

pub fn router() -> Router {
    Router::new()
        .route("/ws/idle_session/{username}", any(ws_handler))
        .with_state(Chat::new(QUEUE_SIZE))
}

async fn ws_handler(
    Path(username): Path<Username>,
    State(chat): State<Chat>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(async move |mut socket| {
        let Err(disconnect) = run(&mut socket, &chat, &username).await;
        close(socket, &disconnect).await;
    })
}

async fn run(
    socket: &mut WebSocket,
    chat: &Chat,
    from: &Username,
) -> Result<Infallible, Disconnect> {
    let mut messages = chat.subscribe();
    let mut timer = IdleTimer::new();

    loop {
        // What goes to this client next, if anything.
        let message = select! {
            received = socket.recv() => {
                let message = received.unwrap_or(Ok(Message::Close(None)))?;
                timer.received(&message);
                answer(message, chat, from)?
            }
            sent = messages.recv() => Some(sent.map_err(|_| Disconnect::TOO_SLOW)?),
            due = timer.due() => match due {
                Due::Warning => {
                    let seconds_left = WARNING_TIME.as_secs();
                    Some(ServerMessage::IdleWarning { seconds_left })
                }
                Due::Close => return Err(IDLE),
            },
        };
        if let Some(message) = message {
            send_text(socket, encode(&message)).await?;
        }
    }
}

/// What the client gets for its message. What it says goes to everybody.
fn answer(
    message: Message,
    chat: &Chat,
    from: &Username,
) -> Result<Option<ServerMessage>, Disconnect> {
    Ok(match message {
        Message::Text(text) => match serde_json::from_str(&text) {
            Ok(ClientMessage::Chat { content }) => {
                let from = from.clone();
                let _ = chat.send(ServerMessage::Chat { from, content }); // We receive it, too.
                None
            }
            Ok(ClientMessage::Ping) => Some(ServerMessage::Pong),
            Err(error) => Some(ServerMessage::Error { message: error.to_string() }),
        },
        Message::Close(frame) => {
            return Err(Disconnect::ByClient(frame.map(|frame| frame.code)));
        }
        Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => None,
    })
}

/// What is due when somebody has been silent.
#[derive(Clone, Copy)]
enum Due {
    Warning,
    Close,
}

/// What is due next, and when. Each connection has one.
struct IdleTimer {
    next: Due,
    at: Instant,
}

impl IdleTimer {
    /// Begins now, as if the person had said something.
    fn new() -> Self {
        Self { next: Due::Warning, at: Instant::now() + WARNING_AFTER }
    }

    /// A chat shows that a person is there. Nothing else does.
    fn received(&mut self, message: &Message) {
        if let Message::Text(text) = message
            && let Ok(ClientMessage::Chat { .. }) = serde_json::from_str(text)
        {
            *self = Self::new();
        }
    }

    /// Waits for what is due next. Cancel safe: nothing changes before it returns.
    async fn due(&mut self) -> Due {
        // A moment, and no duration: however often this begins again, it stays.
        sleep_until(self.at).await;

        let due = self.next;
        self.at += WARNING_TIME / 6;
        due
    }
}
