//! Exercise 10: a slow client.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
