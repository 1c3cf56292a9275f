//! Warm-up for lesson 03: a greeting with a number.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
