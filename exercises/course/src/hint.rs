//! The hints: those that have been shown, and one more for who asks.

use crate::{
    course::{Course, Error},
    progress::Progress,
    runner,
    screen::marker,
    syllabus::Entry,
};

/// The first call shows the first hint. After that it takes `--next` to see more.
pub fn hint(course: &Course, name: Option<&str>, more: bool) -> Result<String, Error> {
    let entry = match name {
        Some(name) => course.syllabus.find(name)?,
        None => current(course)?,
    };
    let hints = hints(course, entry)?;
    let (shown, note) = show(course, entry, more, hints.len());
    let mut parts: Vec<_> = (1..)
        .zip(&hints)
        .take(shown)
        .map(|(number, hint)| format!("Hint {number} of {}: {hint}", hints.len()))
        .collect();
    parts.push(if shown < hints.len() {
        format!("One more hint: cargo course hint {} --next", entry.name)
    } else {
        format!(
            "That was the last hint. Our answer: cargo course solution {}",
            entry.name
        )
    });
    parts.extend(note);
    Ok(parts.join("\n\n"))
}

fn current(course: &Course) -> Result<&Entry, Error> {
    let (_, progress) = runner::run(course, None, false)?;
    progress.next(course).ok_or_else(|| {
        Error::new("All is solved. For the hints of one, name it: cargo course hint 2")
    })
}

/// Each begins with its heading. A paragraph is one line, for a screen of any width.
pub fn hints(course: &Course, entry: &Entry) -> Result<Vec<String>, Error> {
    let text = course.read(&format!("exercises/hints/{}.md", entry.name))?;
    Ok(text.split("\n## ").skip(1).map(|hint| unwrapped(hint.trim_end())).collect())
}

/// Joins the lines of each paragraph and of each item of a list. Code stays as it is.
pub fn unwrapped(text: &str) -> String {
    let mut joined = String::new();
    let mut in_code = false;
    let mut goes_on = false;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let is_text = !in_code && !is_fence && !line.trim().is_empty();
        if goes_on && is_text && marker(line) == 0 {
            joined.push(' ');
            joined.push_str(line.trim());
        } else {
            if !joined.is_empty() {
                joined.push('\n');
            }
            joined.push_str(line.trim_end());
        }
        in_code ^= is_fence;
        goes_on = is_text;
    }
    joined
}

/// How many to show now. A note says so if that cannot be remembered.
pub fn show(
    course: &Course,
    entry: &Entry,
    more: bool,
    count: usize,
) -> (usize, Option<String>) {
    let seen = Progress::load(course).hints.get(&entry.name).copied().unwrap_or(0);
    let shown = (seen + usize::from(more)).clamp(1, count.max(1));
    let saved = Progress::update(course, |progress| {
        progress.hints.insert(entry.name.clone(), shown);
    });
    let note = saved.err().map(|error| {
        format!("{} So the next call does not know what you have seen.", error.sentence)
    });
    (shown, note)
}
