//! The client that the tests talk through.
//!
//! [`serve`] runs a router on connections in memory, so that tokio's clock can be paused:
//! "Ana hears nothing for 60 seconds" is then exact, and takes no time.
//! A test reads like a conversation, and a failure tells the conversation so far:
//!
//! ```ignore
//! #[tokio::test(start_paused = true)]
//! async fn a_message_does_not_come_back_to_its_sender() -> Check {
//!     let server = probe::serve(app());
//!     let mut ana = server.connect("Ana", "/ws").await?;
//!     let mut ben = server.connect("Ben", "/ws").await?;
//!
//!     ana.says("hello").await?;
//!
//!     ben.hears("Client 1: hello").await?;
//!     ana.hears_nothing_for(ONE_MINUTE).await
//! }
//! ```

pub mod acknowledging;
mod bad_network;
pub mod chat;
mod client;
pub mod conformance;
mod connection;
pub mod delivery;
mod expected;
mod hint;
pub mod json;
pub mod log_contract;
#[cfg(feature = "memory")]
pub mod memory;
pub mod names;
pub mod program;
pub mod proxies;
mod raw_connection;
pub mod resuming;
mod resuming_client;
pub mod rooms;
mod rules;
mod server;
pub mod several_nodes;
pub mod sign_in;
mod steps;
pub mod transcript;
mod watchdog;

pub use client::Client;
pub use connection::MemoryListener;
pub use expected::{ANY, Expected};
pub use hint::{Because, Check, Hint};
#[cfg(feature = "memory")]
pub use memory::peak_memory;
pub use raw_connection::{HANDSHAKE, RawConnection, upgrade_request};
pub use server::{Response, Server, serve, serve_by, serve_tcp};
pub use steps::on_virtual_time;
pub use watchdog::WATCHED_THREAD;

use std::time::Duration;

/// Long enough to be sure that nothing comes any more.
pub const ONE_MINUTE: Duration = Duration::from_secs(60);

/// How long a client waits for something that should come.
pub(crate) const WAIT: Duration = Duration::from_secs(10);
