//! One client of the chat: what it sends goes to the log, and what it has not seen comes from
//! the log and, once it has caught up, from the outbox.

use std::{convert::Infallible, future::ready, iter};

use axum::{
    extract::{
        Path, Query, State,
        ws::{Message, Utf8Bytes},
    },
    response::Response,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use lesson_08_auth::{Disconnect, RoomName, Session, SessionUpgrade, encode};
use lesson_18_delivery::{
    Action, AppendError, LOG_UNAVAILABLE, Log, MessageId, Page, Seq, ServerMessage,
    Unavailable, handle_message,
};
use serde::Deserialize;
use tokio::select;
use tracing::info;

use crate::{
    lease::LEASE_LOST,
    nats_log::PAGE_SIZE,
    node::{CurrentNode, Node},
    rooms::{Member, Outgoing},
};

/// How many chats of a client may wait for the log. While there are so many, we do not read
/// from its connection.
///
/// Why one? If the connection to the broker is lost, the first of two may be lost, and the
/// second not. The client would send the first again, and it would come behind the second.
const MAX_IN_FLIGHT: usize = 1;

/// How much of the outbox is sent at once. A client that is slow, but reads, must be able to
/// receive it before the deadline of a write.
const BATCHES_AT_ONCE: usize = 32;

/// The number before all others, of a client that has seen nothing. It misses nothing, however
/// little is kept.
const NOTHING: Seq = -1;

/// Where a client left off, as in `?resume=57&log=4f1c…`: the last number that it has seen,
/// and in which log. A client that has seen nothing yet says `?resume=0`, and a client of
/// lesson 08 says nothing.
#[derive(Deserialize)]
pub struct Position {
    resume: Option<Seq>,
    log: Option<String>,
}

pub async fn ws_handler(
    upgrade: SessionUpgrade,
    Path(room): Path<RoomName>,
    Query(position): Query<Position>,
    State(current): State<CurrentNode>,
) -> Response {
    upgrade.on_upgrade(move |session| handle_socket(session, current, room, position))
}

/// Handles one client, from the moment it connects to the moment it is gone.
async fn handle_socket(
    mut session: Session,
    current: CurrentNode,
    room: RoomName,
    position: Position,
) {
    let Some(node) = current.get() else { return session.close(&LEASE_LOST).await };
    // Before it joins, so that a client of lesson 08 gets all that is new from then on.
    let Ok(newest) = node.log.read(&room, Seq::MAX).await else {
        return session.close(&LOG_UNAVAILABLE).await;
    };
    let username = session.username.clone();
    let replace = position.resume.is_some();
    let member = match node.join(room.clone(), username.clone(), replace).await {
        Ok(member) => member,
        Err(disconnect) => return session.close(&disconnect).await,
    };
    let mut client = Client {
        session: &mut session,
        member,
        node: &node,
        seen: newest.last,
        is_behind: true,
        receipts: FuturesOrdered::new(),
    };
    let Err(disconnect) = client.run(position, newest).await;

    // Now, not later: the closing handshake can take a while. It is behind all that the client
    // has said, because what one node hands to the broker stays in order.
    node.leave(client.member).await;
    session.close(&disconnect).await;
    info!(%room, %username, ?disconnect, "client disconnected");
}

/// A member of a room, between the log and the socket.
struct Client<'a> {
    session: &'a mut Session,
    member: Member,
    node: &'a Node,
    /// The number of the last chat that was sent to the client. Whatever has a number that is
    /// not greater was sent before.
    seen: Seq,
    /// The log may have more than the client has seen. While it is so, chats come from there,
    /// and not from the outbox.
    is_behind: bool,
    /// The chats of the client that the log has not confirmed yet.
    receipts: FuturesOrdered<BoxFuture<'static, Appended>>,
}

/// What became of a chat that had this id.
type Appended = (Option<MessageId>, Result<Seq, AppendError>);

impl Client<'_> {
    /// Carries messages both ways, until one of the two ends the connection.
    async fn run(
        &mut self,
        position: Position,
        newest: Page,
    ) -> Result<Infallible, Disconnect> {
        self.resume(position, newest).await?;

        let mut queued = Vec::new();
        loop {
            select! {
                received = self.session.recv(), if self.receipts.len() < MAX_IN_FLIGHT => {
                    self.act(received?).await?;
                }
                count = self.member.outbox.recv_many(&mut queued, BATCHES_AT_ONCE) => {
                    self.send_new(&mut queued).await?;
                    if count == 0 {
                        // The outbox was full, or another connection has taken its place,
                        // or this node is dead.
                        if !self.member.reopen() {
                            self.node.lease.check()?;
                            return Err(self.member.close_reason());
                        }
                        self.is_behind = true;
                    }
                }
                Some(appended) = self.receipts.next() => {
                    // The chat itself may be in the outbox by now. Then it goes first.
                    let outbox = &mut self.member.outbox;
                    let next = iter::from_fn(|| outbox.try_recv().ok());
                    queued.extend(next.take(BATCHES_AT_ONCE));
                    self.send_new(&mut queued).await?;
                    self.acknowledge(appended).await?;
                }
                () = ready(()), if self.is_behind => self.send_page().await?,
            }
        }
    }

    /// Greets a client that resumes, and finds out what it has seen.
    async fn resume(
        &mut self,
        position: Position,
        newest: Page,
    ) -> Result<(), Disconnect> {
        let Some(resume) = position.resume else { return Ok(()) };
        let log = self.node.log.id();
        let is_known =
            position.log.as_deref() == Some(log) && (0..=newest.last).contains(&resume);

        let mut messages =
            vec![encode(&ServerMessage::Welcome { log, seq: newest.last })];
        self.seen = if is_known { resume } else { NOTHING };
        if !is_known && (resume != 0 || position.log.is_some()) {
            // What it has seen and what follows do not belong together.
            messages.push(encode(&ServerMessage::Gap { next: newest.deleted + 1 }));
        }
        self.send(messages).await
    }

    /// Sends the next page of the log.
    ///
    /// Why only one? It is the turn of the other arms in between: a client that has much to
    /// catch up with may write, and its token may expire.
    async fn send_page(&mut self) -> Result<(), Disconnect> {
        let page = self.node.log.read(&self.member.room, self.seen).await;
        let Page { entries, deleted, .. } =
            page.map_err(|Unavailable| LOG_UNAVAILABLE)?;
        // What is appended from here on comes by the outbox, because the client has joined. (The
        // last number is that of the stream, so the room may never get there.)
        self.is_behind = entries.len() == PAGE_SIZE;

        let mut messages = Vec::new();
        if self.seen != NOTHING && self.seen < deleted {
            messages.push(encode(&ServerMessage::Gap { next: deleted + 1 }));
            self.seen = deleted;
        }
        self.seen = entries.last().map_or(self.seen, |entry| entry.seq);
        messages.extend(entries.iter().map(|entry| encode(&ServerMessage::Chat(entry))));
        self.send(messages).await
    }

    /// Sends what comes from the outbox, but for chats that come, or came, from the log.
    async fn send_new(&mut self, queued: &mut Vec<Outgoing>) -> Result<(), Disconnect> {
        let mut messages = Vec::new();
        for outgoing in queued.drain(..) {
            match outgoing {
                Outgoing::Chat(seq, _) if self.is_behind || seq <= self.seen => {}
                Outgoing::Chat(seq, text) => {
                    self.seen = seq;
                    messages.push(text);
                }
                Outgoing::Announcements(texts) => {
                    let new = texts.iter().filter(|(seq, _)| *seq > self.member.claim);
                    messages.extend(new.map(|(_, text)| text.clone()));
                }
            }
        }
        self.send(messages).await
    }

    /// Does what a message of the client asks for.
    async fn act(&mut self, message: Message) -> Result<(), Disconnect> {
        match handle_message(message, &self.member.room, &self.member.username) {
            Action::Append(draft) => {
                let id = draft.id.clone();
                let receipt = self.node.log.append(draft).await;
                self.receipts.push_back(receipt.map(|result| (id, result)).boxed());
                Ok(())
            }
            Action::Reply(message) => self.send([encode(&message)]).await,
            Action::Ignore => Ok(()),
        }
    }

    /// Tells the client what became of its chat, and of those behind it that are ready, too:
    /// the log commits many at once.
    async fn acknowledge(&mut self, appended: Appended) -> Result<(), Disconnect> {
        let mut answers = Vec::new();
        let mut next = Some(appended);
        while let Some((id, result)) = next {
            let answer = match (id, result) {
                (_, Err(AppendError::Unavailable)) => return Err(LOG_UNAVAILABLE),
                (Some(id), Ok(seq)) => Some(ServerMessage::Ack { id, seq }),
                (Some(id), Err(AppendError::IdInUse)) => Some(ServerMessage::Rejected {
                    id,
                    message: "this id was used for another message".into(),
                }),
                (None, _) => None, // A client of lesson 08 does not ask.
            };
            answers.extend(answer.map(|answer| encode(&answer)));
            next = self.receipts.next().now_or_never().flatten();
        }
        self.send(answers).await
    }

    /// A node without a lease sends nothing: what it knows may be old.
    async fn send(
        &mut self,
        texts: impl IntoIterator<Item = Utf8Bytes>,
    ) -> Result<(), Disconnect> {
        self.node.lease.check()?;
        self.session.send_all(texts.into_iter().map(Message::Text)).await
    }
}
