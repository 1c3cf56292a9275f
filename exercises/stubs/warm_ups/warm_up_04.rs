//! Warm-up for lesson 04: a typed second parameter.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
