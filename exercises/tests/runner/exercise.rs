//! The exercises, as the syllabus has them.

use serde_json::Value;

use super::Step;

const SYLLABUS: &str = include_str!("../../syllabus.json");

pub struct Exercise {
    pub name: String,
    pub title: String,
    /// From 1. The warm-ups have none.
    pub number: Option<usize>,
    /// Its path in the workspace.
    pub file: String,
    pub steps: &'static [Step],
}

impl Exercise {
    /// The name of one of its steps, as one gives it to the runner.
    pub fn path(&self, step: &str) -> String {
        format!("{}::{step}", self.name)
    }

    /// How to call it at the beginning of a line.
    pub fn heading(&self) -> String {
        match self.number {
            Some(number) => format!("Exercise {number}: {}", self.title),
            None => format!("{}: {}", self.label(), self.title),
        }
    }

    /// How to call it in a sentence.
    pub fn in_a_sentence(&self) -> String {
        match self.number {
            Some(number) => format!("exercise {number}"),
            None => self.name.clone(),
        }
    }

    /// "Warm-up 03".
    fn label(&self) -> String {
        self.name.replace("warm_up_", "Warm-up ")
    }

    /// Where one reads what it needs.
    pub fn chapter(&self) -> String {
        match self.number {
            Some(_) => format!("the chapter \"{}\"", self.heading()),
            None => format!("\"{}\", at the end of its lesson's chapter", self.heading()),
        }
    }
}

/// All exercises that have checks, in the order of the syllabus.
pub fn all(checks: &[(&'static str, &'static [Step])]) -> Vec<Exercise> {
    let entries: Vec<Value> =
        serde_json::from_str(SYLLABUS).expect("the syllabus is JSON");
    let mut last_number = 0;
    let exercise = |entry: &Value| {
        let text =
            |key: &str| entry[key].as_str().expect("the syllabus has it").to_owned();
        let name = text("name");
        let number = (!name.starts_with("warm_up")).then(|| {
            last_number += 1;
            last_number
        });
        let steps = checks.iter().find(|(other, _)| *other == name)?.1;
        Some(Exercise {
            title: text("title"),
            number,
            file: format!("exercises/src/{}", text("file")),
            steps,
            name,
        })
    };
    entries.iter().filter_map(exercise).collect()
}
