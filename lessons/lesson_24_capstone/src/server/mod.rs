//! The server below the application: how it accepts connections, and how it shuts down.

mod accept;
mod body_deadline;
mod shutdown;
mod throttle;

pub use self::{accept::serve, body_deadline::BodyTimeout, shutdown::Shutdown};
