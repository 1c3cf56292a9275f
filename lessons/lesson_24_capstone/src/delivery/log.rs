//! The log of a room: its chats, in the order of their numbers, wherever they are kept.

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::message_id::MessageId;
use crate::{
    names::{RoomName, Username},
    text::Content,
};

/// The number of a chat in its room. Each chat has a greater one than those before it.
pub type Seq = i64;

/// Keeps the chats of all rooms.
///
/// Whatever implements it also delivers each entry to the members of the room, once it is
/// durable, and in the order of the numbers.
pub trait Log: Send + Sync + 'static {
    /// How many chats of a client may wait for the log. While there are so many, we do not read
    /// from its connection.
    const MAX_IN_FLIGHT: usize = 32;

    /// The name of this log. The numbers of another one mean nothing here.
    fn id(&self) -> &str;

    /// Appends a chat, and returns before it is durable: that is what the receipt tells.
    ///
    /// Chats get their numbers in the order of the calls. If too many wait for the disk, it
    /// waits. A draft whose sender has used its id before is not appended again.
    fn append(&self, draft: Draft) -> impl Future<Output = Receipt> + Send;

    /// Reads the chats of a room whose numbers are greater than `after`, the oldest first,
    /// and not more than can be sent to a client in one go.
    fn read(
        &self,
        room: &RoomName,
        after: Seq,
    ) -> impl Future<Output = Result<Page, Unavailable>> + Send;
}

/// A chat that has no number yet.
#[derive(Debug)]
pub struct Draft {
    pub room: RoomName,
    pub from: Username,
    pub id: Option<MessageId>,
    pub content: Content,
    /// RFC 3339. It is for people: clocks jump, so the order is that of the numbers.
    pub timestamp: String,
}

/// Resolves when the chat is durable, with its number: if the process or the machine stops
/// after that, the chat is still there.
pub type Receipt = BoxFuture<'static, Result<Seq, AppendError>>;

/// Why a chat was not appended, or may not have been.
#[derive(Debug, PartialEq)]
pub enum AppendError {
    /// The sender has used this id for another chat.
    IdInUse,
    /// Nobody knows whether the chat is in the log. To send it again, with its id, is safe.
    Unavailable,
}

/// The log cannot be used at the moment: the disk is full, or too slow.
#[derive(Debug)]
pub struct Unavailable;

/// A chat with its number, as clients receive it.
#[derive(Debug, Serialize)]
pub struct LogEntry {
    pub room: RoomName,
    pub seq: Seq,
    pub from: Username,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    pub content: Content,
    pub timestamp: String,
}

/// A part of a room's log.
#[derive(Debug)]
pub struct Page {
    pub entries: Vec<LogEntry>,
    /// Chats up to this number may have been deleted. 0 if there were none.
    pub deleted: Seq,
    /// The last number that was given out, 0 if there was none.
    pub last: Seq,
}
