//! Warm-up for lesson 08: an origin and a cookie.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
