//! Delivery: what was acknowledged is in a log, and whoever was away gets it from there.

mod log;
mod message_id;
mod sqlite;

pub use self::{
    log::{AppendError, Draft, Log, LogEntry, Page, Receipt, Seq, Unavailable},
    message_id::MessageId,
    sqlite::SqliteLog,
};
