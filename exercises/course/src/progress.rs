//! What is remembered from one call to the next: `exercises/.progress.json`.
//!
//! It is beside the exercises and not in `target`, so that `cargo clean` leaves it. Git
//! ignores it, because it is about one learner.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, ErrorKind},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    checks::Step,
    course::{Course, Error, cannot_read, cannot_write},
    syllabus::Entry,
};

const FILE: &str = "exercises/.progress.json";

/// Where a file goes that we do not understand.
const DAMAGED: &str = "exercises/.progress.json.damaged";

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Progress {
    /// What passed when it was checked last.
    pub solved: BTreeSet<String>,
    /// How many hints of each exercise have been shown.
    pub hints: BTreeMap<String, usize>,
    /// What a newer version may have added. It stays.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Progress {
    /// A file that is missing, or that is damaged, means a learner who begins.
    pub fn load(course: &Course) -> Self {
        Self::stored(course).unwrap_or_default()
    }

    fn stored(course: &Course) -> io::Result<Self> {
        match fs::read(course.root.join(FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Gives a file that we do not understand another name, so that nothing overwrites it.
    /// The sentence is for the learner.
    pub fn set_aside_if_damaged(course: &Course) -> Option<String> {
        let error = Self::stored(course).err()?;
        if !is_damage(&error) {
            return None; // It may be a good one, which we cannot read.
        }
        let sentence = format!("{FILE} cannot be understood: {error}.");
        match fs::rename(course.root.join(FILE), course.root.join(DAMAGED)) {
            Ok(()) => Some(format!(
                "{sentence} It is kept as {DAMAGED}. The checks find out anew what is solved."
            )),
            Err(error) => {
                Some(format!("{sentence} {}", cannot_write(DAMAGED, &error).sentence))
            }
        }
    }

    /// Changes what is in the file now: `watch` may be running in another window.
    pub fn update(
        course: &Course,
        change: impl FnOnce(&mut Self),
    ) -> Result<Self, Error> {
        // Whoever starts the companion is told. It may have been damaged since then.
        Self::set_aside_if_damaged(course);
        let before = Self::stored(course).map_err(|error| cannot_read(FILE, &error))?;
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

/// As `serde_json` reports what is no JSON, what is not ours, and half a file.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}
