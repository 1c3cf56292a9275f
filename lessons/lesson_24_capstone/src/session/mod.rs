//! A session: one WebSocket of somebody who has signed in, whatever it is used for.

mod connection;
mod heartbeat;
pub mod json;
pub mod outbox;
mod socket;
mod upgrade;

pub use self::{
    connection::Session, heartbeat::Activity, socket::Disconnect, upgrade::SessionUpgrade,
};
