mod joins;
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod rates;

use std::{num::NonZeroU32, time::Duration};

use axum::Router;
use probe::{
    chat::Chat,
    json::{PING, chat_of, joined, left, pong},
};

use self::people::{auth, path, seen_from, token};
use crate::rate_limiter::{BURST, MESSAGES_PER_SECOND, RateLimiter};

const SECOND: Duration = Duration::from_secs(1);

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance! { app(), &path("rust", "ana") }

// What every chat does, with or without rooms, in JSON, for people who have signed in. They
// send far more at once than a person may.
probe::chat_conformance! { chat() }
probe::json_conformance! { chat() }
probe::room_conformance! { talkative, path }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(talkative, |name| path("rust", name))
}

/// A server on which one person may send a lot.
fn talkative() -> Router {
    app_with(10_000, 10_000)
}

fn app_with(per_second: u32, burst: u32) -> Router {
    let number = |number| NonZeroU32::new(number).expect("at least one");
    limited(RateLimiter::new(number(per_second), number(burst)))
}

fn app() -> Router {
    limited(RateLimiter::new(MESSAGES_PER_SECOND, BURST))
}

fn limited(limiter: RateLimiter) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), limiter))
}
