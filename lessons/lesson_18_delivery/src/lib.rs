//! The part of lesson 18 that does not depend on where the log is kept, and the log on
//! SQLite. A program puts them together (`main.rs`).

mod log;
mod message;
mod protocol;
mod rooms;
mod sqlite;
mod ws;

pub use log::{AppendError, Draft, Log, LogEntry, Page, Receipt, Seq, Unavailable};
pub use message::{Action, handle_message};
pub use protocol::{MessageId, ServerMessage};
pub use rooms::{RoomManager, list_rooms};
pub use sqlite::SqliteLog;
pub use ws::{LOG_UNAVAILABLE, REPLACED, ws_handler};
