//! Exercise 9: an idle session.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
