//! Warm-up for lesson 07: a topic, and ten members.

use axum::Router;

pub fn router() -> Router {
    Router::new()
}
