//! The chat: rooms, and what their members send to one another.

mod backend;
mod client;
mod protocol;
mod rooms;
mod ws;

pub use self::{
    backend::{Alone, Chat, Joined, Membership},
    protocol::ServerMessage,
    rooms::{Limits, Queued, RoomManager, RoomSummary},
    ws::routes,
};
