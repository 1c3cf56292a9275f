//! The conversations that the book tells about the exercises are true of our answer, and
//! of a learner's who has solved that exercise and no other. They are replayed twice,
//! because a learner presses the button more than once.

use axum::Router;
use probe::{Check, transcript::check_each};
use solutions::{app, chat_with, features::Features};

const TWICE: usize = 2;

#[tokio::test(start_paused = true)]
async fn the_transcripts_in_the_book_are_true() -> Check {
    check_each("exercises", |_| app(), TWICE).await
}

#[tokio::test(start_paused = true)]
async fn no_transcript_needs_another_exercise() -> Check {
    check_each("exercises", with_one_exercise, TWICE).await
}

/// A server on which the exercise is solved whose number `file` begins with. The others
/// are gaps, which do nothing.
fn with_one_exercise(file: &str) -> Router {
    let number = file.split('_').next().and_then(|number| number.parse().ok());
    match number {
        Some(number @ (1..=4 | 6 | 7)) => chat_with(Features::only(number)),
        _ => app(), // A server of its own; or a false one, which is about several.
    }
}
