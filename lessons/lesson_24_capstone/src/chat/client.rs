//! One client of a room: what it has not seen comes from the log and, once it has caught up,
//! from its outbox.

use std::{future::pending, mem, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use futures_util::{
    FutureExt, StreamExt, TryFutureExt, future::BoxFuture, stream::FuturesOrdered,
};
use serde::Deserialize;
use tokio::{select, spawn, time::Instant};

use super::{
    backend::{Chat, Joined, Membership},
    protocol::ServerMessage,
    rooms::Queued,
};
use crate::{
    delivery::{AppendError, Draft, Log, MessageId, Page, Seq, Unavailable},
    session::{
        Disconnect,
        json::encode,
        outbox::{Batch, Outgoing},
    },
    telemetry::Metrics,
};

/// The number before all others, of a client that has seen nothing. It misses nothing, however
/// little is kept.
const NOTHING: Seq = -1;

/// Where a client left off, as in `?resume=57&log=4f1c…`: the last number that it has seen,
/// and in which log. A client that has seen nothing yet says `?resume=0`, and one that keeps
/// no number says nothing.
#[derive(Deserialize)]
pub struct Position {
    pub resume: Option<Seq>,
    log: Option<String>,
}

/// A member of a room, between the log and the socket.
pub struct Client<C: Chat> {
    pub member: C::Member,
    log: Arc<C::Log>,
    /// The number of the last chat that was sent to the client. Whatever has a number that is
    /// not greater was sent before.
    seen: Seq,
    /// What is sent before anything else.
    greeting: Batch,
    /// The next page of the log, until the client has caught up. What comes meanwhile waits in
    /// the outbox.
    page: Option<BoxFuture<'static, Result<Page, Unavailable>>>,
    /// The chats of the client that the log has not confirmed yet.
    receipts: FuturesOrdered<BoxFuture<'static, Appended>>,
    metrics: Metrics,
}

/// What became of a chat that had this id.
type Appended = (Option<MessageId>, Result<Seq, AppendError>);

impl<C: Chat> Client<C> {
    /// Somebody who is in the room now. `newest` was read before that, so that a client that
    /// keeps no number gets all that is new from then on.
    pub fn new(joined: Joined<C>, position: Position, metrics: Metrics) -> Self {
        let Joined { member, log, newest } = joined;
        let mut client = Self {
            member,
            log,
            seen: newest.last,
            greeting: Batch::new(),
            page: None,
            receipts: FuturesOrdered::new(),
            metrics,
        };
        client.resume(position, &newest);
        client.read_on();
        client
    }

    /// Greets a client that resumes, and finds out what it has seen.
    fn resume(&mut self, position: Position, newest: &Page) {
        let Some(resume) = position.resume else { return };
        let log = self.log.id();
        let is_known =
            position.log.as_deref() == Some(log) && (0..=newest.last).contains(&resume);

        self.greeting.push(encode(&ServerMessage::Welcome { log, seq: newest.last }));
        self.seen = if is_known { resume } else { NOTHING };
        if !is_known && (resume != 0 || position.log.is_some()) {
            // What it has seen and what follows do not belong together.
            self.greeting.push(encode(&ServerMessage::Gap { next: newest.deleted + 1 }));
        }
    }

    /// Appends a chat of this client to the log.
    pub async fn append(&mut self, draft: Draft) {
        let (id, start) = (draft.id.clone(), Instant::now());
        let receipt = self.log.append(draft).await;
        let metrics = self.metrics.clone();
        // Why a task? The session looks at its receipts when it has nothing to write. So the
        // time of a client that does not read would be measured, too.
        let measured = spawn(async move {
            let result = receipt.await;
            if result.is_ok() {
                metrics.appended(start);
            }
            result
        });
        let result = measured.unwrap_or_else(|_| Err(AppendError::Unavailable));
        self.receipts.push_back(result.map(|result| (id, result)).boxed());
    }

    /// Leaves the room, once the log has what the client has sent: the others should receive
    /// it before they receive that the client has left.
    pub async fn leave(mut self) {
        self.settle().await;
        self.member.leave().await;
    }

    async fn settle(&mut self) {
        while let Some((_, result)) = self.receipts.next().await {
            if result == Err(AppendError::Unavailable) {
                return; // Perhaps none of the others comes either.
            }
        }
    }

    /// Begins to read what the log has, and the client has not.
    ///
    /// Why not before the join? What the log gets after the join waits in the outbox. The
    /// other way round, what it gets between the last page and the join would be in neither.
    fn read_on(&mut self) {
        let (log, room, seen) = (self.log.clone(), self.member.room().clone(), self.seen);
        self.page = Some(async move { log.read(&room, seen).await }.boxed());
    }

    /// What a page has for the client. The last one ends with the last number that there is:
    /// what gets a greater one comes from the outbox, which was open before it was read.
    fn messages_of(&mut self, page: &Page) -> Batch {
        let mut messages = Batch::new();
        if self.seen != NOTHING && self.seen < page.deleted {
            messages.push(encode(&ServerMessage::Gap { next: page.deleted + 1 }));
            self.seen = page.deleted;
        }
        let chats = page.entries.iter().map(|entry| encode(&ServerMessage::Chat(entry)));
        messages.extend(chats);
        self.seen = page.entries.last().map_or(self.seen, |entry| entry.seq);
        if messages.is_empty() || self.seen >= page.last {
            self.page = None;
        } else {
            self.read_on();
        }
        messages
    }

    /// What comes from the outbox, but for chats that have come from the log already.
    fn new_messages(&mut self, queued: Vec<Queued>) -> Batch {
        let mut messages = Batch::new();
        for queued in queued {
            match queued {
                Queued::Chat(seq, _) if seq <= self.seen => {}
                Queued::Chat(seq, text) => {
                    self.seen = seq;
                    messages.push(text);
                }
                Queued::Announcement(text) => messages.push(text),
                Queued::Announcements(texts) => {
                    let joined_at = self.member.joined_at();
                    let new = texts.iter().filter(|(seq, _)| *seq > joined_at);
                    messages.extend(new.map(|(_, text)| text.clone()));
                }
            }
        }
        messages
    }

    /// Says what became of a chat, and of those behind it that are ready, too: the log commits
    /// many at once.
    fn acknowledge(&mut self, appended: Appended) -> Result<Batch, Disconnect> {
        let mut answers = Batch::new();
        let mut next = Some(appended);
        while let Some(appended) = next {
            answers.extend(answer(appended)?);
            next = self.receipts.next().now_or_never().flatten();
        }
        Ok(answers)
    }

    async fn next(&mut self) -> Result<Batch, Disconnect> {
        if !self.greeting.is_empty() {
            return Ok(mem::take(&mut self.greeting));
        }
        loop {
            // While it is behind, what is in the outbox would leave a hole.
            let is_behind = self.page.is_some();
            let batch = select! {
                page = next_page(&mut self.page) => {
                    if self.member.is_replaced() {
                        return Err(self.member.close_reason()); // Its outbox is not looked at.
                    }
                    self.messages_of(&page.map_err(|Unavailable| Disconnect::LOG_UNAVAILABLE)?)
                }
                queued = self.member.outbox().take(), if !is_behind => match queued {
                    Some(queued) => self.new_messages(queued),
                    // It was full, or another connection has taken its place.
                    None if !self.member.reopen() => return Err(self.member.close_reason()),
                    None => {
                        self.metrics.behind.inc();
                        self.read_on();
                        Batch::new()
                    }
                },
                Some(appended) = self.receipts.next() => {
                    // The chat itself is in the outbox by now. It goes first, if it can.
                    let queued =
                        if is_behind { Vec::new() } else { self.member.outbox().take_now() };
                    let mut batch = self.new_messages(queued);
                    batch.extend(self.acknowledge(appended)?);
                    return Ok(batch); // If it is empty, we may read again, perhaps.
                }
            };
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
    }
}

impl<C: Chat> Outgoing for Client<C> {
    async fn recv(&mut self) -> Result<Batch, Disconnect> {
        let batch = self.next().await;
        self.member.may_send()?; // First: it is the reason for whatever else has failed.
        batch
    }

    fn drain(&mut self) -> Batch {
        if self.member.may_send().is_err() {
            return Batch::new(); // And the next `recv` says why.
        }
        let mut batch = mem::take(&mut self.greeting);
        if self.page.is_none() {
            let queued = self.member.outbox().take_all();
            batch.extend(self.new_messages(queued));
        }
        batch
    }

    /// What we have read is on its way to the log. So the client gets its acknowledgements
    /// before the end; what it has sent after that, it will send to the next server.
    async fn finish(&mut self) -> Batch {
        let mut answers = Batch::new();
        while let Some(appended) = self.receipts.next().await {
            let Ok(answer) = answer(appended) else { break }; // The log is not available.
            answers.extend(answer);
        }
        let mut batch = self.drain();
        if self.member.may_send().is_ok() {
            batch.extend(answers);
        }
        batch
    }

    fn may_receive(&self) -> bool {
        self.receipts.len() < C::Log::MAX_IN_FLIGHT
    }
}

/// The page that is being read, if there is one. Cancel safe: the reading stays.
async fn next_page<T>(page: &mut Option<BoxFuture<'static, T>>) -> T {
    match page {
        Some(page) => page.await,
        None => pending().await,
    }
}

/// What the client is told, if it wants to know.
fn answer((id, result): Appended) -> Result<Option<Utf8Bytes>, Disconnect> {
    let answer = match (id, result) {
        (_, Err(AppendError::Unavailable)) => return Err(Disconnect::LOG_UNAVAILABLE),
        (None, _) => return Ok(None),
        (Some(id), Ok(seq)) => ServerMessage::Ack { id, seq },
        (Some(id), Err(AppendError::IdInUse)) => ServerMessage::Rejected {
            id,
            message: "this id was used for another message".into(),
        },
    };
    Ok(Some(encode(&answer)))
}
