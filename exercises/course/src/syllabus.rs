//! The warm-ups and the exercises: `exercises/syllabus.json`.

use serde::Deserialize;

use crate::{course::Error, nearest::nearest};

#[derive(Deserialize)]
pub struct Entry {
    pub name: String,
    pub title: String,
    /// Its path in `exercises/src`, in `exercises/stubs` and in `solutions/src`.
    pub file: String,
    /// Its path in `book/src`.
    pub chapter: String,
}

/// In the order in which they are meant to be solved.
pub struct Syllabus {
    pub entries: Vec<Entry>,
}

impl Entry {
    pub fn is_warm_up(&self) -> bool {
        self.name.starts_with("warm_up_")
    }

    pub fn source(&self) -> String {
        format!("exercises/src/{}", self.file)
    }

    pub fn stub(&self) -> String {
        format!("exercises/stubs/{}", self.file)
    }

    pub fn chapter(&self) -> String {
        format!("book/src/{}", self.chapter)
    }
}

impl Syllabus {
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        Ok(Self { entries: serde_json::from_str(text)? })
    }

    pub fn exercises(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.is_warm_up())
    }

    /// By its name, or by the number of the exercise.
    pub fn find(&self, word: &str) -> Result<&Entry, Error> {
        if let Ok(number) = word.parse::<usize>() {
            let count = self.exercises().count();
            let found =
                number.checked_sub(1).and_then(|index| self.exercises().nth(index));
            return found.ok_or_else(|| {
                Error::unknown(format!(
                    "There is no exercise {number}: their numbers are 1 to {count}."
                ))
            });
        }
        let name = word.to_lowercase().replace('-', "_");
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names = self.entries.iter().map(|entry| entry.name.as_str());
            let more = match nearest(&name, names) {
                Some(meant) => format!("Did you mean `{meant}`?"),
                None => "`cargo course list` shows all names.".into(),
            };
            Error::unknown(format!("There is no exercise `{word}`. {more}"))
        })
    }

    /// Such as "Warm-up 01: capitals and counts".
    pub fn heading(&self, entry: &Entry) -> String {
        format!("{}: {}", self.label(entry), entry.title)
    }

    pub fn label(&self, entry: &Entry) -> String {
        match entry.name.strip_prefix("warm_up_") {
            Some(number) => format!("Warm-up {number}"),
            None => {
                let before =
                    self.exercises().take_while(|other| other.name != entry.name);
                format!("Exercise {}", before.count() + 1)
            }
        }
    }
}
