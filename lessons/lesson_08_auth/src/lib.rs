//! The parts of lesson 08. A program puts them together: `main.rs` of this lesson, and
//! the programs of later lessons.
//!
//! All modules are private. What other crates may use is what this file names.

mod auth;
mod extract;
mod login;
mod login_limits;
mod message;
mod protocol;
mod rooms;
mod session;
mod socket;
mod tokens;
mod users;
mod ws;

pub use auth::{Auth, auth_routes};
pub use extract::{AllowedOrigin, CurrentUser};
pub use message::{Action, handle_message};
pub use protocol::{
    Content, RoomName, ServerMessage, Username, encode, now, parse, shortened,
};
pub use rooms::{Member, OUTBOX_SIZE, RoomManager, list_rooms};
pub use session::{Session, SessionUpgrade};
pub use socket::Disconnect;
pub use tokens::TokenError;
pub use ws::ws_handler;
