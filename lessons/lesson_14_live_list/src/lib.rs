//! The part of lesson 14 that later lessons use: events, and the socket that brings them.
//!
//! What the events are about, a list in memory, is a part of the program (`main.rs`).

mod events;
mod ws;

pub use events::{Change, Deleted, Event, Events, Version};
pub use ws::ws_handler;
