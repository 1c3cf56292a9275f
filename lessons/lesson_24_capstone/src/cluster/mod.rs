//! The cluster: several processes, the nodes, are one chat. The log of all rooms is in a broker,
//! NATS, and so is who has which name.

mod broker;
mod follower;
mod lease;
mod member;
mod nats_log;
mod node;
mod presence;
mod rooms;
mod storage;

pub use self::{lease::LEASE_LOST, node::CurrentNode, storage::Settings};

#[cfg(test)]
pub use self::{
    broker::{Broker, Connection},
    follower::{Lag, apply},
    lease::Lease,
    nats_log::NatsLog,
    node::{END_TIMEOUT, NO_LEASE},
    rooms::{Member, RoomManager},
    storage::Subject,
};
