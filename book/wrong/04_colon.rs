//! A wrong way: it writes the path as axum 0.7 wanted it.

use axum::{Router, extract::Path, routing::get};

pub fn app() -> Router {
    Router::new().route("/ws/:client_id", get(greet))
}

async fn greet(Path(id): Path<u32>) -> String {
    format!("You are client {id}.")
}
