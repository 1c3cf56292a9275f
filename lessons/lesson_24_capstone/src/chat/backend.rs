//! What a session of the chat needs: a log, and a place in a room that is its own.

use std::sync::Arc;

use axum::extract::FromRef;

use super::rooms::{Member, Queued, RoomManager, RoomSummary};
use crate::{
    delivery::{Log, Page, Seq, Unavailable},
    error::ApiError,
    limits::ConnectionPermit,
    names::{RoomName, Username},
    session::{Disconnect, outbox::Outbox},
};

/// Where a chat is kept: in this process alone, or where several processes share it.
pub trait Chat: Sized + Send + Sync + 'static {
    type Log: Log;
    type Member: Membership;

    /// Makes somebody a member of a room. The error says why this is not possible.
    ///
    /// If the name is taken in this room, and the new connection may `replace` the old one, it
    /// does, and the others notice nothing.
    fn join(
        &self,
        room: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> impl Future<Output = Result<Joined<Self>, Disconnect>> + Send;

    /// All rooms, in the order of their names.
    fn list(&self) -> Result<Vec<RoomSummary>, ApiError>;
}

/// Somebody who has joined.
pub struct Joined<C: Chat> {
    pub member: C::Member,
    pub log: Arc<C::Log>,
    /// What the log had before the join, but for the chats themselves.
    pub newest: Page,
}

/// Somebody who is in a room.
pub trait Membership: Send {
    fn room(&self) -> &RoomName;

    /// What others have sent to this member. Its task must empty it.
    fn outbox(&mut self) -> &mut Outbox<Queued>;

    /// Gets an empty outbox in place of the one that was full. What did not fit is in the log,
    /// announcements apart.
    ///
    /// `false` if another connection of this member has taken the place of this one.
    fn reopen(&mut self) -> bool;

    /// Whether another connection of this member has taken the place of this one.
    fn is_replaced(&self) -> bool;

    /// How the connection ends when its place is no longer its own.
    fn close_reason(&self) -> Disconnect {
        Disconnect::REPLACED
    }

    /// Asked before anything is sent. The error says how the connection ends.
    fn may_send(&self) -> Result<(), Disconnect> {
        Ok(())
    }

    /// The number of the join, where joins have numbers. What has no greater one was before it.
    fn joined_at(&self) -> Seq {
        0
    }

    /// Leaves the room, unless another connection has taken the place of this one.
    fn leave(self) -> impl Future<Output = ()> + Send;
}

/// The chat of a process that is alone. Its log delivers to its rooms.
pub struct Alone<L> {
    rooms: RoomManager,
    log: Arc<L>,
}

impl<S, L> FromRef<S> for Alone<L>
where
    RoomManager: FromRef<S>,
    Arc<L>: FromRef<S>,
{
    fn from_ref(state: &S) -> Self {
        Self { rooms: RoomManager::from_ref(state), log: Arc::from_ref(state) }
    }
}

impl<L: Log> Chat for Alone<L> {
    type Log = L;
    type Member = Member;

    async fn join(
        &self,
        room: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> Result<Joined<Self>, Disconnect> {
        let newest = self.log.read(&room, Seq::MAX).await;
        let newest = newest.map_err(|Unavailable| Disconnect::LOG_UNAVAILABLE)?;
        let member = self.rooms.join(room, username, permit, replace)?;
        Ok(Joined { member, log: self.log.clone(), newest })
    }

    fn list(&self) -> Result<Vec<RoomSummary>, ApiError> {
        Ok(self.rooms.list())
    }
}

impl Membership for Member {
    fn room(&self) -> &RoomName {
        &self.room
    }

    fn outbox(&mut self) -> &mut Outbox<Queued> {
        &mut self.outbox
    }

    fn reopen(&mut self) -> bool {
        self.reopen()
    }

    fn is_replaced(&self) -> bool {
        self.is_replaced()
    }

    async fn leave(self) {
        drop(self);
    }
}
