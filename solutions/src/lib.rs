//! The exercises, solved: the same server, and the files that fill its gaps.
//!
//! Read one when you have solved the exercise, and compare. Yours may be another, and
//! as good: `../other_answers` has some.
//!
//! Run:   cargo run -p solutions
//! Open:  http://127.0.0.1:8000/chat.html in two windows
//! Check: cargo test -p solutions

pub mod copied_chat;
pub mod drain;
pub mod idle_session;
mod message_history;
mod online_users;
mod private_messaging;
pub mod private_room;
mod rate_limit;
mod resume;
pub mod slow_client;
mod typing_indicator;
pub mod warm_ups;

// What is given to the learner is given to us: the very same files.
#[path = "../../exercises/src/client.rs"]
mod client;
#[path = "../../exercises/src/connection.rs"]
mod connection;
#[path = "../../exercises/src/features.rs"]
pub mod features;
#[path = "../../exercises/src/protocol.rs"]
pub mod protocol;
#[path = "../../exercises/src/rooms.rs"]
pub mod rooms;
#[path = "../../exercises/src/server.rs"]
mod server;
#[path = "../../lessons/lesson_07_rooms/src/socket.rs"]
mod socket;

pub use server::{app, chat_with};
