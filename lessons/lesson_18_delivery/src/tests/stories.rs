//! Random stories of a bad network and a server that crashes (`lessons/probe/src/delivery.rs`).
//!
//! `STORIES=200 cargo test -p lesson_18_delivery stories` runs more of them, and `SEED=17` the
//! one with that seed.

use axum::Router;
use probe::{
    Check,
    delivery::{Protocol, Report, Restart, Story, seeds},
};

use super::{LogFile, app_on, path};

/// The server of a story, on a file. After a crash it starts on what was on the disk then.
struct Restarted {
    seed: u64,
    /// One for each start. They are removed at the end.
    files: Vec<LogFile>,
}

impl Restarted {
    fn new(seed: u64) -> Self {
        Self { seed, files: vec![LogFile::new(&format!("story-{seed}"))] }
    }

    fn file(&self) -> &LogFile {
        self.files.last().expect("there is one from the beginning")
    }
}

impl Restart for Restarted {
    fn start(&mut self) -> Router {
        app_on(&self.file().0).expect("a file that can be opened")
    }

    fn crash(&mut self) {
        let copy = LogFile::new(&format!("story-{}-{}", self.seed, self.files.len()));
        self.file().copy_to(&copy).expect("files can be copied");
        self.files.push(copy);
    }
}

fn run(seed: u64) -> Report {
    Story::new(seed).run(Protocol::Delivery, Restarted::new(seed), path)
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
