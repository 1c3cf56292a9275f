//! Warm-up for lesson 07: a topic, and ten members.
//!
//! Rooms in which a text is not sent to the others: it becomes the topic of the room. A room
//! has ten members at most, and `GET /warm_up_07/rooms` lists the rooms with their topics.
//!
//! Read first: lesson 07, "Joining, and the guard" and "Leaving"
//! Edit:       this file, the three gaps in `RoomManager`
//! Check:      cargo course check warm_up_07
//! Try it:     cargo run -p exercises, then http://127.0.0.1:8000/lab.html with the address
//!             /warm_up_07/ws/rust, and http://127.0.0.1:8000/warm_up_07/rooms in a tab

#![allow(unused)] // The gaps use nothing yet. Delete this line with them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{any, get},
};
use serde::Serialize;

use crate::{
    protocol::RoomName,
    socket::{Disconnect, close, with_limits},
};

/// How many members a room may have. The next client is closed with `FULL`.
const MEMBER_LIMIT: usize = 10;

/// 1013 means *try again later*: somebody may leave.
const FULL: Disconnect = Disconnect::ByUs(1013, "the room is full");

/// All rooms. A room appears with its first member, and vanishes with its last.
#[derive(Clone, Default)]
struct RoomManager {
    rooms: Arc<Mutex<BTreeMap<RoomName, Room>>>,
}

#[derive(Default)]
struct Room {
    topic: String,
    members: usize,
}

/// Somebody who is in a room, for as long as this guard lives.
struct Member {
    room: RoomName,
    rooms: RoomManager,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.rooms.leave(&self.room);
    }
}

impl RoomManager {
    /// Adds a member. `None` if the room has `MEMBER_LIMIT` members already.
    ///
    /// What makes it interesting: whoever is not let in must not change the number of
    /// members, neither now nor when the connection ends.
    ///
    /// - Which method of a map returns the room of a name, and makes it if there is none?
    /// - A `Member` is a guard: what happens when one is dropped? So when may you make one?
    fn join(&self, name: RoomName) -> Option<Member> {
        Some(Member { room: name, rooms: self.clone() })
    }

    /// Removes a member, and the room with its topic if that was the last one.
    ///
    /// - `get_mut` looks for a room, and makes none. Whom do you borrow while you use what it
    ///   returns? What may you not do in that time? (The compiler says so, too.)
    fn leave(&self, name: &RoomName) {}

    /// Replaces the topic of a room.
    fn set_topic(&self, name: &RoomName, topic: String) {}

    /// All rooms, in the order of their names.
    fn list(&self) -> Vec<RoomSummary> {
        let summary = |(name, room): (&RoomName, &Room)| RoomSummary {
            room: name.clone(),
            topic: room.topic.clone(),
            members: room.members,
        };
        self.lock().iter().map(summary).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RoomName, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One entry of `GET /warm_up_07/rooms`.
#[derive(Serialize)]
struct RoomSummary {
    room: RoomName,
    topic: String,
    members: usize,
}

pub fn router() -> Router {
    Router::new()
        .route("/warm_up_07/ws/{room}", any(ws_handler))
        .route("/warm_up_07/rooms", get(list_rooms))
        .with_state(RoomManager::default())
}

async fn list_rooms(State(rooms): State<RoomManager>) -> Json<Vec<RoomSummary>> {
    Json(rooms.list())
}

async fn ws_handler(
    Path(room): Path<RoomName>,
    State(rooms): State<RoomManager>,
    upgrade: WebSocketUpgrade,
) -> Response {
    with_limits(upgrade).on_upgrade(|socket| handle_socket(socket, rooms, room))
}

/// Makes each text the topic of the room, until the connection ends.
async fn handle_socket(mut socket: WebSocket, rooms: RoomManager, room: RoomName) {
    let Some(member) = rooms.join(room) else {
        return close(socket, &FULL).await;
    };
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            rooms.set_topic(&member.room, text.to_string());
        }
    }
}
