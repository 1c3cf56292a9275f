//! Random stories of a bad network and a server that crashes (`lessons/probe/src/delivery.rs`).
//!
//! `STORIES=200 cargo test -p lesson_18_delivery stories` runs more of them, and `SEED=17` the
//! one with that seed. How threads take turns is not up to the seed: if a story fails once in
//! several runs, run it several times.

use probe::{
    Check,
    delivery::{Protocol, Report, Story, seeds},
};

use super::{LogFile, app_on, path};

/// Most of its connections break before the opening handshake is over, or soon after.
const CUTS: u64 = 27;

/// The server crashes three times.
const CRASHES: u64 = 3;

/// So many messages that clients whose connections stall fall behind.
const FLOOD: u64 = 14;

/// Runs a story. After a crash, the server starts again on the same file.
fn run(seed: u64, test: &str) -> Report {
    let file = LogFile::new(&format!("{test}-{seed}"));
    let server = || app_on(&file.0).expect("the old server has left its file");
    Story::new(seed).run(Protocol::Delivery, server, path)
}

#[test]
fn in_no_story_is_anything_lost_or_double_or_out_of_order() -> Check {
    seeds().try_for_each(|seed| run(seed, "story").check(env!("CARGO_PKG_NAME")))
}

/// `cargo test -p lesson_18_delivery three_stories -- --nocapture` shows the reports.
#[test]
fn three_stories_are_what_they_are_named_after() -> Check {
    let [cuts, crashes, flood] =
        [CUTS, CRASHES, FLOOD].map(|seed| run(seed, "named-story"));
    println!("cuts:    {cuts}\ncrashes: {crashes}\nflood:   {flood}");

    assert!(cuts.cuts >= 10, "many connections break: {cuts}");
    assert!(crashes.crashes >= 2, "the server crashes: {crashes}");
    assert!(flood.sent >= 900, "there are many messages: {flood}");
    [cuts, crashes, flood]
        .iter()
        .try_for_each(|report| report.check(env!("CARGO_PKG_NAME")))
}
