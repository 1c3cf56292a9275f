//! Exercise 8: a private room.
//!
//! Read first: this file: the messages, `handle_socket`, `act`, and what a `Room` has
//! Edit:       this file, in five places, from `struct Room` on
//! Check:      cargo course check private_room
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html, with two clients
//!             at the addresses /ws/private_room/ana and /ws/private_room/ben

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use serde::{Deserialize, Serialize};
use tokio::{select, sync::mpsc};

use crate::{
    connection::{encode, lock, next_text, send_text},
    protocol::{Content, Username},
    socket::{Disconnect, close, with_limits},
};

/// How many messages may wait for one client. With the next one, it counts as too slow.
const OUTBOX_SIZE: usize = 256;

/// How we close somebody who has no invitation.
const NOT_INVITED: Disconnect = Disconnect::ByUs(4012, "not invited");

/// How we close somebody whom the owner has kicked.
const KICKED: Disconnect = Disconnect::ByUs(4013, "removed by the owner");

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    Chat { content: Content },
    Invite { username: Username },
    Kick { username: Username },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage<'a> {
    UserJoined { username: &'a Username },
    UserLeft { username: &'a Username },
    Chat { from: &'a Username, content: &'a Content },
    Invited { username: &'a Username },
    Owner { username: &'a Username },
    Error { message: String },
}

/// What waits in an outbox: a text to send or, as an `Err`, how to close the connection.
type Outgoing = Result<Utf8Bytes, Disconnect>;

type SharedRoom = Arc<Mutex<Room>>;

pub fn router() -> Router {
    Router::new()
        .route("/ws/private_room/{username}", any(ws_handler))
        .with_state(SharedRoom::default())
}

async fn ws_handler(
    Path(username): Path<Username>,
    State(room): State<SharedRoom>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, room, username))
}

async fn handle_socket(mut socket: WebSocket, room: SharedRoom, username: Username) {
    let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
    let joined = lock(&room).join(&username, sender);
    let disconnect = match joined {
        Ok(connection) => {
            let act = |text: &str| act(&mut lock(&room), &username, connection, text);
            let Err(disconnect) = run(&mut socket, outbox, act).await;
            lock(&room).leave(&username, connection);
            disconnect
        }
        Err(disconnect) => disconnect,
    };
    close(socket, &disconnect).await;
}

async fn run(
    socket: &mut WebSocket,
    mut outbox: mpsc::Receiver<Outgoing>,
    act: impl Fn(&str),
) -> Result<Infallible, Disconnect> {
    loop {
        select! {
            text = next_text(socket) => act(&text?),
            queued = outbox.recv() => {
                let text = queued.unwrap_or(Err(Disconnect::TOO_SLOW))?;
                send_text(socket, text).await?;
            }
        }
    }
}

/// Does what a member asks for, or tells it why not.
fn act(room: &mut Room, from: &Username, connection: u64, text: &str) {
    if !room.members.iter().any(|member| member.connection == connection) {
        return; // It was kicked a moment ago, and its task does not know yet.
    }
    let message = serde_json::from_str(text).map_err(|error| error.to_string());
    let done = message.and_then(|message| match message {
        ClientMessage::Chat { content } => {
            room.broadcast(&ServerMessage::Chat { from, content: &content });
            Ok(())
        }
        ClientMessage::Invite { username } => room.invite(from, &username),
        ClientMessage::Kick { username } => room.kick(from, &username),
    });
    if let Err(message) = done {
        room.send(from, &ServerMessage::Error { message });
    }
}

struct Member {
    username: Username,
    /// No two connections have the same number, even if they have the same name.
    connection: u64,
    /// `None` after it was full. The member's task finds the channel closed, and leaves.
    outbox: Option<mpsc::Sender<Outgoing>>,
}

impl Member {
    fn send(&mut self, outgoing: Outgoing) {
        let is_full = |outbox: &mpsc::Sender<_>| outbox.try_send(outgoing).is_err();
        if self.outbox.as_ref().is_some_and(is_full) {
            self.outbox = None;
        }
    }
}

/// The room. There is one, and whoever comes while it is empty is its owner.
#[derive(Default)]
struct Room {
    /// In the order in which they came. The first one is the owner.
    members: Vec<Member>,
    last_connection: u64,
}

impl Room {
    /// Adds a member, unless its name is taken or you refuse it. Returns the number of the
    /// connection.
    fn join(
        &mut self,
        username: &Username,
        outbox: mpsc::Sender<Outgoing>,
    ) -> Result<u64, Disconnect> {
        if self.members.iter().any(|member| member.username == *username) {
            return Err(Disconnect::NAME_TAKEN);
        }
        self.admit(username)?;
        self.broadcast(&ServerMessage::UserJoined { username });
        self.last_connection += 1;
        let connection = self.last_connection;
        let (username, outbox) = (username.clone(), Some(outbox));
        self.members.push(Member { username, connection, outbox });
        Ok(connection)
    }

    fn send(&mut self, to: &Username, message: &ServerMessage) {
        let text = encode(message);
        let mut members = self.members.iter_mut();
        if let Some(member) = members.find(|member| member.username == *to) {
            member.send(Ok(text));
        }
    }

    fn broadcast(&mut self, message: &ServerMessage) {
        let text = encode(message);
        for member in &mut self.members {
            member.send(Ok(text.clone()));
        }
    }

    /// `username` has connected. May it join? `NOT_INVITED` closes its connection.
    ///
    /// Whoever comes while nobody is there needs no invitation, and becomes the owner. All
    /// others need one.
    ///
    /// What makes it interesting: an invitation is good for more than one visit. Whoever has
    /// been the owner may come back, too. But when the last one has left, all invitations
    /// are forgotten.
    ///
    /// - What has the room to remember? `Room` can have one more field.
    /// - Who comes into an empty room: whose invitations count now?
    fn admit(&mut self, username: &Username) -> Result<(), Disconnect> {
        Ok(())
    }

    /// This connection of `username` has ended. The others receive
    /// `{"type":"user_left","username":"ana"}`, once.
    ///
    /// If the owner has left, the one who came next is the owner, and everybody receives
    /// `{"type":"owner","username":"ben"}` after that.
    ///
    /// What makes it interesting: this is called after a kick, too, perhaps ten seconds
    /// later. Meanwhile, somebody may have joined under the same name.
    ///
    /// - What tells the two connections apart?
    fn leave(&mut self, username: &Username, connection: u64) {}

    /// `from` invites `username`, and receives `{"type":"invited","username":"ben"}`. To
    /// invite the same name twice is the same as once.
    ///
    /// From anybody but the owner, it is an error: `only the owner may invite and kick`.
    fn invite(&mut self, from: &Username, username: &Username) -> Result<(), String> {
        Ok(())
    }

    /// `from` removes `username` from the room. It is closed with `KICKED` and receives
    /// nothing more. The others receive `user_left`, once, and now: they do not wait until
    /// its connection has ended.
    ///
    /// Its invitation is withdrawn, even if it is not in the room: it might come back. That
    /// it is not there is an error all the same.
    ///
    /// The errors: `only the owner may invite and kick`; `you cannot kick yourself`; and
    /// `dan is not in the room`.
    ///
    /// - In which order do you remove the member, send to it, and notify the others?
    fn kick(&mut self, from: &Username, username: &Username) -> Result<(), String> {
        Ok(())
    }
}
