//! Live data: users and posts over REST, and their changes over a socket.

mod api;
mod channel;
mod channels;
mod events;
mod extract;
mod models;
mod repository;
mod ws;

pub use self::{api::routes, channels::Channels};

// What the tests look at, beside the API.
#[cfg(test)]
pub use self::{
    models::{User, UserDraft},
    repository::Model,
};
