//! Warm-up for lesson 07: a topic, and ten members, solved.

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
    fn join(&self, name: RoomName) -> Option<Member> {
        let mut rooms = self.lock();
        let room = rooms.entry(name.clone()).or_default();
        if room.members == MEMBER_LIMIT {
            return None; // And so the room is not new: ten are in it.
        }
        room.members += 1;
        // Why not before? A guard that is dropped leaves, though it was never counted.
        Some(Member { room: name, rooms: self.clone() })
    }

    /// Removes a member, and the room with its topic if that was the last one.
    fn leave(&self, name: &RoomName) {
        let mut rooms = self.lock();
        if let Some(room) = rooms.get_mut(name) {
            room.members -= 1;
            if room.members == 0 {
                rooms.remove(name);
            }
        }
    }

    /// Replaces the topic of a room.
    fn set_topic(&self, name: &RoomName, topic: String) {
        if let Some(room) = self.lock().get_mut(name) {
            room.topic = topic;
        }
    }

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
