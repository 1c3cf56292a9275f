//! Who has which name. It is in the stream, too, so that whoever joins or leaves and whoever
//! speaks are in one order, the same on all nodes.

use std::{collections::HashSet, time::Duration};

use async_nats::{
    header::NATS_ROLLUP,
    jetstream::message::{PublishMessage, StreamMessage},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::{select, time::sleep};

use super::{
    broker::{AT_ONCE, NotPublished},
    node::Node,
    rooms::{Claim, Member},
    storage::Subject,
};
use crate::{
    delivery::{Seq, Unavailable},
    limits::ConnectionPermit,
    names::{RoomName, Username},
    session::Disconnect,
};

/// How often a claim is tried when others claim the same name at the same moment.
const TRIES: usize = 3;

/// For how long the stream keeps that somebody has left. A node that has not read it by then must
/// have begun anew: because its lease has ended, or because it is too slow (`MAX_LAG`).
const LEFT_KEPT: Duration = Duration::from_secs(60);

/// How long to wait before a log that takes no messages is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What a message on the subject of a member says. The last one holds.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Presence {
    /// This node has the name. If it had been in use, the others notice nothing.
    Joined {
        node: String,
        announce: bool,
    },
    Left,
}

impl Presence {
    /// A message that the broker accepts only if the last one on its subject still has the
    /// number `expected`: of two nodes that want to change something, one can (this is called
    /// compare-and-set).
    fn message_after(&self, expected: Seq) -> PublishMessage {
        self.message().expected_last_subject_sequence(expected as u64)
    }

    /// A message that takes the place of the last one on its subject.
    fn message(&self) -> PublishMessage {
        let payload = serde_json::to_vec(self).expect("it has a JSON form");
        let message =
            PublishMessage::build().payload(payload.into()).header(NATS_ROLLUP, "sub");
        match self {
            Self::Joined { .. } => message,
            Self::Left => message.ttl(LEFT_KEPT),
        }
    }

    /// The node that has the name, according to the last message on its subject.
    fn node(message: &StreamMessage) -> Option<String> {
        match serde_json::from_slice(&message.payload) {
            Ok(Self::Joined { node, .. }) => Some(node),
            _ => None,
        }
    }
}

impl Node {
    /// Makes somebody a member of a room, on all nodes.
    ///
    /// If the name is taken, and the new connection may `replace` the old one, it does,
    /// wherever the old one is.
    pub async fn join(
        &self,
        room: RoomName,
        username: Username,
        permit: &ConnectionPermit,
        replace: bool,
    ) -> Result<Member, Disconnect> {
        let (mut member, old) = self.rooms.open(room, username, permit, replace)?;
        let claim = self.claim(&member, replace).await?;
        if !member.confirm(claim) {
            self.lease.check()?;
            return Err(member.close_reason());
        }
        if let Some(old) = old {
            permit.replace(&old);
        }
        Ok(member)
    }

    async fn claim(&self, member: &Member, replace: bool) -> Result<Seq, Disconnect> {
        let unavailable = |Unavailable| Disconnect::LOG_UNAVAILABLE;
        let subject = Subject::Member(member.room.clone(), member.username.clone());
        let subject = subject.to_string();
        for _ in 0..TRIES {
            let last = self.broker.get(|ask| ask.last_by_subject(&subject)).await;
            let last = last.map_err(unavailable)?;
            let holder = last.as_ref().and_then(Presence::node);
            if let Some(node) = &holder
                && !replace
                && self.broker.is_alive(node).await.map_err(unavailable)?
            {
                return Err(Disconnect::NAME_TAKEN);
            }
            self.lease.check()?;
            let announce = !(replace && holder.is_some());
            let claim = Presence::Joined { node: self.lease.node.clone(), announce };
            let expected = last.map_or(0, |message| message.sequence as Seq);
            let answer =
                self.broker.publish(subject.clone(), claim.message_after(expected)).await;
            match answer.await {
                Ok(ack) => return Ok(ack.sequence as Seq),
                Err(NotPublished::Conflict) => {} // Somebody was faster.
                // What if the claim is in the stream all the same? The sweep removes it.
                Err(NotPublished::Unknown) => break,
            }
        }
        Err(Disconnect::LOG_UNAVAILABLE)
    }

    /// Frees the name of a member, unless a later claim has it.
    pub async fn leave(&self, member: Member) {
        let Member { room, username, claim, .. } = &member;
        let claim = Claim { room: room.clone(), username: username.clone(), seq: *claim };
        select! {
            biased; // It is sent in any case.

            () = self.release(claim) => {}
            // The client must not be here any more when others free the name.
            () = self.lease.ended() => {}
        }
    }

    async fn release(&self, claim: Claim) {
        let subject = Subject::Member(claim.room, claim.username).to_string();
        let left = Presence::Left.message_after(claim.seq);
        // If that does not work, somebody else was faster, or the sweep tries again.
        let _ = self.broker.publish(subject, left).await.await;
    }

    /// Frees, again and again, the names of nodes that are dead, and those of this node that
    /// nobody here has, because a claim or a leave got no answer.
    ///
    /// All nodes do that. For each name, the broker lets one of them succeed.
    pub async fn sweep(&self) {
        let mut absent = HashSet::new();
        loop {
            sleep(self.lease.period()).await;
            for node in self.rooms.nodes() {
                if node != self.lease.node
                    && let Ok(false) = self.broker.is_alive(&node).await
                {
                    self.release_all(self.rooms.claims_of(&node, false)).await;
                }
            }
            // A name may be without a connection for a moment. Twice in a row is too long.
            let now = self.rooms.claims_of(&self.lease.node, true);
            self.release_all(&now & &absent).await;
            absent = now;
        }
    }

    /// While the log takes no messages, tries again and again whether it does.
    ///
    /// Why not wait for the next client? A node that is not ready gets none.
    pub async fn try_log(&self) {
        // It changes nothing: nobody has this name, and nobody is in this room.
        let room = RoomName::try_from(self.lease.node.clone());
        let username = Username::try_from(self.lease.node.clone());
        let (room, username) =
            room.ok().zip(username.ok()).expect("an id is a good name");
        let subject = Subject::Member(room, username).to_string();
        loop {
            sleep(RETRY).await;
            if self.broker.is_refusing() {
                let left = Presence::Left.message();
                let _ = self.broker.publish(subject.clone(), left).await.await; // It notes that.
            }
        }
    }

    async fn release_all(&self, claims: HashSet<Claim>) {
        stream::iter(claims)
            .for_each_concurrent(AT_ONCE, |claim| self.release(claim))
            .await;
    }
}
