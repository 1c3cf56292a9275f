//! Warm-up for lesson 06: a message of your own.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
