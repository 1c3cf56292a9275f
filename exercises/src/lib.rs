//! The exercises: warm-ups, and lesson 07's chat server with tasks for you.
//!
//! Before: the chat has rooms, and no more.
//! Now:    you teach it six features, and repair a second, broken chat. Four more exercises
//!         and the warm-ups are small servers of their own.
//!
//! Read first, for exercises 1 to 4, 6 and 7, ten minutes:
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

// The exercises, in their order. The first four, the sixth and the seventh are parts of one
// chat; the others are servers of their own.
pub mod warm_ups;
// 1 to 4.
mod message_history;
mod online_users;
mod private_messaging;
mod typing_indicator;
// 5 to 7.
pub mod copied_chat;
mod rate_limit;
mod resume;
// 8 to 11.
pub mod drain;
pub mod idle_session;
pub mod private_room;
pub mod slow_client;

// What is given. The socket is lesson 07's, and there is nothing new to read in it.
mod client;
mod connection;
pub mod features;
pub mod protocol;
pub mod rooms;
mod server;
#[path = "../../lessons/lesson_07_rooms/src/socket.rs"]
mod socket;

pub use server::{app, chat_with};
