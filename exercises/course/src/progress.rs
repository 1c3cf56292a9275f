//! What is remembered from one call to the next: `exercises/.progress.json`.
//!
//! It is beside the exercises and not in `target`, so that `cargo clean` leaves it. Git
//! ignores it, because it is about one learner.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde::{Deserialize, Serialize};

use crate::{
    checks::Step,
    course::{Course, Error, cannot_write},
    syllabus::Entry,
};

const FILE: &str = "exercises/.progress.json";

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Progress {
    /// What passed when it was checked last.
    pub solved: BTreeSet<String>,
    /// How many hints of each exercise have been shown.
    pub hints: BTreeMap<String, usize>,
}

impl Progress {
    /// A file that is missing, or that is damaged, means a learner who begins.
    pub fn load(course: &Course) -> Self {
        let text = fs::read_to_string(course.root.join(FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Changes what is in the file now: `watch` may be running in another window.
    pub fn update(
        course: &Course,
        change: impl FnOnce(&mut Self),
    ) -> Result<Self, Error> {
        let before = Self::load(course);
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            after.save(course)?;
        }
        Ok(after)
    }

    /// A new file takes the place of the old one, so nobody ever reads half of it.
    fn save(&self, course: &Course) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(format!("Your progress cannot be written as JSON: {error}."))
        })?;
        let half = course.root.join("exercises/.progress.json.new");
        fs::write(&half, text)
            .and_then(|()| fs::rename(&half, course.root.join(FILE)))
            .map_err(|error| cannot_write(FILE, &error))
    }

    /// Notes which exercises these steps show to be solved.
    pub fn note(&mut self, course: &Course, steps: &[Step]) {
        for entry in &course.syllabus.entries {
            let mut own =
                steps.iter().filter(|step| step.exercise == entry.name).peekable();
            if own.peek().is_none() {
                continue; // Nobody asked for its checks.
            }
            if own.all(|step| step.passed) {
                self.solved.insert(entry.name.clone());
            } else {
                self.solved.remove(&entry.name);
            }
        }
    }

    pub fn is_solved(&self, entry: &Entry) -> bool {
        self.solved.contains(&entry.name)
    }

    /// The first that is not solved.
    pub fn next<'a>(&self, course: &'a Course) -> Option<&'a Entry> {
        course.syllabus.entries.iter().find(|entry| !self.is_solved(entry))
    }
}
