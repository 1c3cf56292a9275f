//! Warm-up for lesson 05: a header and a default.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
