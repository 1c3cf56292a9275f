//! The part of lesson 15 that lesson 16 uses: the database, what a model is, and the API
//! that serves any model.

mod api;
mod database;
mod error;
mod extract;
mod model;
mod users;

pub use api::{Publish, model_routes, protected, route};
pub use database::{Database, IN_MEMORY, MIGRATIONS};
pub use error::ApiError;
pub use extract::Json;
pub use model::{Model, violation};
pub use users::{OneLine, User, given, required};
