//! The chat of a node, as its sessions see it.

use std::{sync::Arc, time::Duration};

use super::{
    lease::LEASE_LOST,
    nats_log::NatsLog,
    node::{CurrentNode, Node},
    rooms::Member,
};
use crate::{
    chat::{Chat, Joined, Membership, Queued, RoomSummary},
    delivery::{Log, Seq, Unavailable},
    error::ApiError,
    limits::ConnectionPermit,
    names::{RoomName, Username},
    session::{Disconnect, outbox::Outbox},
};

/// When a client may ask again that has come while this process has no lease.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Somebody who is in a room, by a connection to this node.
pub struct NodeMember {
    member: Member,
    node: Arc<Node>,
}

impl Chat for CurrentNode {
    type Log = NatsLog;
    type Member = NodeMember;

    async fn join(
        &self,
        room: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> Result<Joined<Self>, Disconnect> {
        if self.is_stopping() {
            return Err(Disconnect::GOING_AWAY);
        }
        let node = self.get().ok_or(LEASE_LOST)?;
        let newest = node.log.read(&room, Seq::MAX).await;
        let newest = newest.map_err(|Unavailable| Disconnect::LOG_UNAVAILABLE)?;
        let member = node.join(room, username, permit, replace).await?;
        let log = node.log.clone();
        Ok(Joined { member: NodeMember { member, node }, log, newest })
    }

    fn list(&self) -> Result<Vec<RoomSummary>, ApiError> {
        match self.get() {
            Some(node) if node.lease.is_valid() => Ok(node.rooms.list()),
            _ => {
                let what = "This server has lost its connection to the others";
                Err(ApiError::unavailable(what, RETRY_AFTER))
            }
        }
    }
}

impl Membership for NodeMember {
    fn room(&self) -> &RoomName {
        &self.member.room
    }

    fn outbox(&mut self) -> &mut Outbox<Queued> {
        &mut self.member.outbox
    }

    /// A node without a lease sends nothing: what it knows may be old.
    fn may_send(&self) -> Result<(), Disconnect> {
        self.node.lease.check()
    }

    fn is_replaced(&self) -> bool {
        self.member.is_closed()
    }

    fn reopen(&mut self) -> bool {
        self.member.reopen()
    }

    fn close_reason(&self) -> Disconnect {
        self.member.close_reason()
    }

    fn joined_at(&self) -> Seq {
        self.member.claim
    }

    async fn leave(self) {
        self.node.leave(self.member).await;
    }
}
