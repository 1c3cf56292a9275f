//! The log in a stream of NATS. The number of a chat is its number in the stream, so it has a
//! greater one than those before it, but not the next one: other rooms take numbers, too.

use std::sync::Arc;

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use futures_util::{FutureExt, future::ready};
use serde::{Deserialize, Serialize};
use tokio::select;

use super::{
    broker::Broker,
    lease::Lease,
    rooms::RoomManager,
    storage::{CHATS_KEPT, Subject, token},
};
use crate::{
    delivery::{
        AppendError, Draft, Log, LogEntry, MessageId, Page, Receipt, Seq, Unavailable,
    },
    names::{RoomName, Username},
    text::Content,
};

/// How many chats a page has at most.
const PAGE_SIZE: usize = 64;

pub struct NatsLog {
    pub broker: Broker,
    pub lease: Arc<Lease>,
    pub rooms: RoomManager,
}

/// A chat as it is in the stream. The subject has the room.
#[derive(Serialize, Deserialize)]
pub struct StoredChat {
    from: Username,
    id: Option<MessageId>,
    content: Content,
    timestamp: String,
}

impl StoredChat {
    /// `None` if somebody else has written into our stream.
    pub fn read(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    pub fn entry(self, room: RoomName, seq: Seq) -> LogEntry {
        let Self { from, id, content, timestamp } = self;
        LogEntry { room, seq, from, id, content, timestamp }
    }
}

impl Log for NatsLog {
    /// If the connection to the broker is lost, the first of two may be lost, and the second
    /// not. The client would send the first again, and it would come behind the second.
    const MAX_IN_FLIGHT: usize = 1;

    fn id(&self) -> &str {
        &self.broker.log
    }

    async fn append(&self, draft: Draft) -> Receipt {
        let Draft { room, from, id, content, timestamp } = draft;
        let id_of_sender =
            id.as_ref().map(|id| format!("{}.{}", token(from.as_str()), id.as_str()));
        let chat = StoredChat { from, id, content, timestamp };
        let payload = serde_json::to_vec(&chat).expect("it has a JSON form");
        let mut message = PublishMessage::build().payload(payload.into());
        if let Some(id) = id_of_sender {
            message = message.message_id(id);
        }
        if !self.lease.is_valid() {
            return ready(Err(AppendError::Unavailable)).boxed();
        }
        let subject = Subject::Chat(room).to_string();
        let answer = self.broker.publish(subject.clone(), message).await;
        let (broker, lease) = (self.broker.clone(), self.lease.clone());
        let appended = async move {
            let ack = answer.await.map_err(|_| AppendError::Unavailable)?;
            if ack.duplicate {
                let unavailable = |Unavailable| AppendError::Unavailable;
                let first = broker.get(|ask| ask.sequence(ack.sequence)).await;
                let is_known = match first.map_err(unavailable)? {
                    Some(first) => is_same(&first, &subject, &chat.content),
                    // A chat that is no longer kept cannot be compared. But nothing was
                    // deleted yet of a room that has not so many.
                    None => {
                        broker.count(&subject).await.map_err(unavailable)?.1 >= CHATS_KEPT
                    }
                };
                if !is_known {
                    return Err(AppendError::IdInUse);
                }
            }
            Ok(ack.sequence as Seq)
        };
        async move {
            select! {
                result = appended => result,
                // Whoever waits for this has a client to close, before others have its name.
                () = lease.ended() => Err(AppendError::Unavailable),
            }
        }
        .boxed()
    }

    async fn read(&self, room: &RoomName, after: Seq) -> Result<Page, Unavailable> {
        let subject = Subject::Chat(room.clone()).to_string();
        // What this node has delivered by now must not be missing in the answers.
        let delivered = self.rooms.position();
        let (mut entries, mut position) = (Vec::new(), after.max(0));
        loop {
            let next = self.next(&subject, position).await?;
            if let Some(message) = &next {
                position = message.sequence as Seq;
                let chat = StoredChat::read(&message.payload);
                entries.extend(chat.map(|chat| chat.entry(room.clone(), position)));
            }
            if next.is_some() && entries.len() < PAGE_SIZE {
                continue;
            }
            let (last, deleted) = self.bounds(&subject).await?;
            if last < delivered {
                return Err(Unavailable); // It comes from a leader that is no longer one.
            }
            // Chats are deleted while we read. From the first of those that are left on,
            // nothing is missing.
            entries.retain(|entry: &LogEntry| entry.seq > deleted);
            if next.is_none() || entries.len() == PAGE_SIZE {
                return Ok(Page { entries, deleted, last });
            }
        }
    }
}

impl NatsLog {
    /// The last number of the stream, and up to which number chats of a room may be gone.
    async fn bounds(&self, subject: &str) -> Result<(Seq, Seq), Unavailable> {
        let (last, count) = self.broker.count(subject).await?;
        let first = match count {
            ..CHATS_KEPT => None, // Nothing was deleted yet.
            _ => self.next(subject, 0).await?,
        };
        Ok((last, first.map_or(0, |first| first.sequence as Seq - 1)))
    }

    async fn next(
        &self,
        subject: &str,
        after: Seq,
    ) -> Result<Option<StreamMessage>, Unavailable> {
        let from = after as u64 + 1;
        self.broker.get(|ask| ask.sequence(from).next_by_subject(subject)).await
    }
}

fn is_same(message: &StreamMessage, subject: &str, content: &Content) -> bool {
    let stored = StoredChat::read(&message.payload);
    message.subject.as_str() == subject
        && stored.is_some_and(|stored| stored.content.as_str() == content.as_str())
}
