//! The part of lesson 15 that lesson 16 uses: the database, its users, and what a request
//! may ask for.

mod database;
mod error;
mod extract;
mod users;

pub use database::{Database, MIGRATIONS};
pub use error::ApiError;
pub use extract::{Id, Json, Pagination, require_user};
pub use users::{OneLine, User, UserDraft, given, required, violation};
