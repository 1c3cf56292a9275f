#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;

mod counting;
mod operators;
mod runtime;

use axum::Router;
use probe::chat::Chat;

use self::people::{auth, path, seen_from, token};
use crate::metrics::Metrics;

probe::conformance! { app(), &path("rust", "ana") }
probe::chat_conformance! { chat() }
probe::json_conformance! { chat() }
probe::room_conformance! { app, path }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

/// The sample with this name, as Prometheus gets it.
fn sample(metrics: &Metrics, name: &str) -> f64 {
    *metrics.samples().get(name).unwrap_or_else(|| panic!("there is no sample {name}"))
}

fn app() -> Router {
    app_with(Metrics::new())
}

fn app_with(metrics: Metrics) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), metrics))
}
