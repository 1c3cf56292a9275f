//! Random stories of a bad network and a server that crashes (`lessons/probe/src/delivery.rs`).
//!
//! `STORIES=200 cargo test -p lesson_18_delivery stories` runs more of them, and `SEED=17` the
//! one with that seed.

use probe::{
    Check,
    delivery::{Protocol, Report, Story, seeds},
};

use super::{LogFile, app_on, path};

/// Runs a story. After a crash, the server starts again on the same file.
fn run(seed: u64) -> Report {
    let file = LogFile::new(&format!("story-{seed}"));
    let server = || app_on(&file.0).expect("the old server has left its file");
    Story::new(seed).run(Protocol::Delivery, server, path)
}

#[test]
fn in_no_story_is_anything_lost_or_double_or_out_of_order() -> Check {
    seeds().try_for_each(|seed| {
        let t = std::time::Instant::now();
        let r = run(seed);
        println!("{seed} {:?} {r}", t.elapsed());
        r.check("lesson_18_delivery")
    })
}
