//! The chat: rooms, and what their members send to one another.

mod client;
mod protocol;
mod rooms;
mod ws;

pub use self::{rooms::RoomManager, ws::routes};
