//! Random stories of a bad network and a server that crashes (`lessons/probe/src/delivery.rs`).
//!
//! `STORIES=200 cargo test -p lesson_24_capstone stories` runs more of them, and `SEED=17` the
//! one with that seed.

use probe::{
    Check,
    delivery::{Protocol, Report, Story, seeds},
};

use super::{super::app_of, LogFile, path, people::username};
use crate::{app::AppState, server::Shutdown};

/// The server crashes three times.
const CRASHES: u64 = 3;

/// So many messages that clients whose connections stall fall behind.
const FLOOD: u64 = 14;

/// Runs a story. After a crash, the server starts again on the same file.
fn run(seed: u64, test: &str) -> Report {
    let file = LogFile::new(&format!("{test}-{seed}"));
    let config = file.config();
    let server = || {
        let state = AppState::new(&config, Shutdown::default());
        let mut state = state.expect("the old server has left its file");
        for name in ["dan", "emil", "vera"] {
            state.auth.add(username(name)); // Ana, Ben and Cem have accounts.
        }
        app_of(state, &config)
    };
    Story::new(seed).run(Protocol::Delivery, server, path)
}

#[test]
fn in_no_story_is_anything_lost_or_double_or_out_of_order() -> Check {
    seeds().try_for_each(|seed| run(seed, "story").check(env!("CARGO_PKG_NAME")))
}

#[test]
fn two_stories_are_what_they_are_named_after() -> Check {
    let [crashes, flood] = [CRASHES, FLOOD].map(|seed| run(seed, "named-story"));

    assert!(crashes.crashes >= 2, "the server crashes: {crashes}");
    assert!(flood.sent >= 900, "there are many messages: {flood}");
    [crashes, flood].iter().try_for_each(|report| report.check(env!("CARGO_PKG_NAME")))
}
