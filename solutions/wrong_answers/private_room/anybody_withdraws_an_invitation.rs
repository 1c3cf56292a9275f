//! Wrong: the invitation is withdrawn before it is clear who kicks.
//!
//! Refused by step_4_what_is_not_allowed_gets_an_error:
//! "so his kick of Cem changed nothing, and Cem is still invited."

use std::{
    collections::HashSet,
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
    /// Who may join. In an empty room it is out of date.
    invited: HashSet<Username>,
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

    fn admit(&mut self, username: &Username) -> Result<(), Disconnect> {
        if self.members.is_empty() {
            // A new beginning. The owner is invited as well, and so may come back.
            self.invited = HashSet::from([username.clone()]);
        }
        if self.invited.contains(username) { Ok(()) } else { Err(NOT_INVITED) }
    }

    /// Nothing happens if this connection was kicked before.
    fn leave(&mut self, _: &Username, connection: u64) {
        self.remove(|member| member.connection == connection);
    }

    fn invite(&mut self, from: &Username, username: &Username) -> Result<(), String> {
        self.check_owner(from)?;
        self.invited.insert(username.clone());
        self.send(from, &ServerMessage::Invited { username });
        Ok(())
    }

    fn kick(&mut self, from: &Username, username: &Username) -> Result<(), String> {
        self.invited.remove(username);
        self.check_owner(from)?;
        if from == username {
            return Err("you cannot kick yourself".into());
        }
        let Some(mut member) = self.remove(|member| member.username == *username) else {
            return Err(format!("{username} is not in the room"));
        };
        member.send(Err(KICKED)); // The last thing in its outbox.
        Ok(())
    }

    fn check_owner(&self, username: &Username) -> Result<(), String> {
        match self.members.first() {
            Some(owner) if owner.username == *username => Ok(()),
            _ => Err("only the owner may invite and kick".into()),
        }
    }

    /// Removes a member, and notifies those who are left.
    fn remove(&mut self, is_wanted: impl Fn(&Member) -> bool) -> Option<Member> {
        let position = self.members.iter().position(is_wanted)?;
        let member = self.members.remove(position);
        self.broadcast(&ServerMessage::UserLeft { username: &member.username });
        if position == 0
            && let Some(owner) = self.members.first()
        {
            let username = owner.username.clone();
            self.broadcast(&ServerMessage::Owner { username: &username });
        }
        Some(member)
    }
}
