//! Warm-up for lesson 01: capitals and counts.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
