//! A wrong way: it forgets `#[derive(Deserialize)]`.

use axum::{
    Router,
    extract::{Query, ws::WebSocketUpgrade},
    response::Response,
    routing::any,
};

struct Options {
    echo: bool,
}

fn app() -> Router {
    Router::new().route("/ws", any(ws_handler))
}

async fn ws_handler(
    Query(options): Query<Options>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |_| println!("Echo: {}.", options.echo))
}

fn main() {
    let _ = app();
}
