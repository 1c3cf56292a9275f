//! Exercise 9: an idle session.
//!
//! Read first: this file: `run`, and how it uses the `IdleTimer`
//! Edit:       this file, in four places, from `struct IdleTimer` on
//! Check:      cargo course check idle_session
//! Try it:     set WARNING_AFTER and WARNING_TIME to some seconds; cargo run -p exercises,
//!             then http://127.0.0.1:8000/lab.html, with the address /ws/idle_session/ana

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{convert::Infallible, future::pending, time::Duration};

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

/// When the warning is due, and when the Close. Each connection has one.
struct IdleTimer {}

impl IdleTimer {
    /// Begins now, as if the person had said something.
    fn new() -> Self {
        Self {}
    }

    /// The client has sent this. If it shows that a person is there, all begins anew: the
    /// warning is due after `WARNING_AFTER`, and the Close after `WARNING_TIME` more.
    ///
    /// What makes it interesting: a page sends `{"type":"ping"}` by itself, and a browser
    /// sends pongs. Only a chat shows that a person is there. A text that is no valid
    /// message does not, because it may come from a script that tries again and again.
    ///
    /// - Is it a text? And what does `serde_json::from_str` say about it?
    fn received(&mut self, message: &Message) {}

    /// Waits for what is due next: the warning, once, and then the Close.
    ///
    /// What makes it interesting: `select!` drops this future whenever the client sends
    /// something, or somebody else does. The next turn of the loop calls `due` again, from
    /// its first line.
    ///
    /// - If there were a `sleep(WARNING_AFTER)` here, and others talked all the time: when
    ///   would it end?
    /// - `sleep_until` sleeps until an `Instant`. Which one, before the warning and after it?
    /// - What has to change, and when, so that the warning is not due again in the next turn?
    async fn due(&mut self) -> Due {
        pending().await
    }
}
