//! Live data: users and posts over REST, and their changes over a socket.

mod api;
mod channel;
mod channels;
mod database;
mod events;
mod extract;
mod models;
mod repository;
mod ws;

pub use self::{api::routes, channels::Channels, database::Database};

// What the tests look at, beside the API.
#[cfg(test)]
pub use self::{
    database::{MIGRATIONS, explain},
    models::{User, UserDraft},
    repository::Model,
};
