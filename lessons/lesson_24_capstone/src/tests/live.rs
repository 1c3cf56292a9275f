//! What the live data promise.

mod agreement;
mod api;
mod asking;
mod channels;
mod database;
mod lists;
mod owners;
mod rates;
mod ready;

use axum::Router;

pub use self::database::TempFile;

use super::{app, app_with, people::config, state};
use crate::{
    app::{AppState, app as routes},
    database::Database,
};

/// The application on a database of the test.
fn app_on(database: Database) -> Router {
    let config = config();
    routes(AppState { database, ..state(&config) }, &config)
}
