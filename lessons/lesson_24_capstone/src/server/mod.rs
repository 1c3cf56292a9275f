//! The server below the application: how it accepts connections, and how it shuts down.

mod accept;
mod body_deadline;
mod forwarded;
mod service;
mod shutdown;
mod throttle;

pub use self::{
    accept::serve, body_deadline::BodyTimeout, service::notify, shutdown::Shutdown,
};
#[cfg(test)]
pub use forwarded::behind_proxies;
