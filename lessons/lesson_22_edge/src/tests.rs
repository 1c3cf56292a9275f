mod accept;
mod forwarded;
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod tls;

use std::{sync::Arc, time::Duration};

use axum::Router;
use probe::{Server, chat::Chat, serve_by};
use tokio::sync::Semaphore;

use self::people::{auth, path, seen_from, token};
use crate::{
    accept::{HttpLimits, serve},
    forwarded::TrustedProxies,
};

probe::conformance! { app(), &path("rust", "ana") }
probe::chat_conformance! { chat() }
probe::json_conformance! { chat() }
probe::room_conformance! { app, path }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }
probe::transcripts!(app());

const SECOND: Duration = Duration::from_secs(1);

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

/// The application, for somebody who comes without a proxy.
fn app() -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), TrustedProxies::default()))
}

/// Time-outs of five, ten and sixty seconds, and twenty connections.
fn limits() -> HttpLimits {
    HttpLimits {
        header_timeout: 5 * SECOND,
        request_timeout: 10 * SECOND,
        max_age: 60 * SECOND,
        bytes_per_second: 128 * 1024,
        permits: Arc::new(Semaphore::new(20)),
    }
}

/// The server as `main` runs it: with its own accept loop.
fn serve_as_main(limits: HttpLimits) -> Server {
    serve_by(async move |listener| {
        serve(listener, None, super::app(auth(), TrustedProxies::default()), limits)
            .await;
    })
}
