//! The exercises: lesson 07's chat server, and seven tasks for you.
//!
//! Before: the chat has rooms, and no more.
//! Now:    you teach it six features, and repair a second, broken chat.
//!
//! Read first, ten minutes:
//!
//! 1. `protocol.rs`, all messages that the two sides may send; those of your features are
//!    there already;
//! 2. `rooms.rs`: a `Room`, what it can do, and where it calls you;
//! 3. `client.rs`, the loop that handles one connection.
//!
//! Then work in the file of the exercise. Its first lines say what to do.
//!
//! Run:   cargo run -p exercises
//! Open:  http://127.0.0.1:8000/chat.html in two windows
//! Check: cargo test -p exercises
//! Help:  cargo course

// The exercises, in their order.
mod copied_chat;
mod message_history;
mod online_users;
mod private_messaging;
mod rate_limit;
mod resume;
mod typing_indicator;

// What is given. The socket is lesson 07's, and there is nothing new to read in it.
mod client;
pub mod protocol;
pub mod rooms;
mod server;
#[path = "../../lessons/lesson_07_rooms/src/socket.rs"]
mod socket;

pub use server::{app, app_with};
