//! Our answer, for who has one, or for who insists.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
};

use crate::{
    course::{Course, Error},
    hint,
    progress::Progress,
    runner,
    syllabus::Entry,
};

pub fn solution(course: &Course, name: &str) -> Result<String, Error> {
    let entry = course.syllabus.find(name)?;
    let (_, progress) = runner::run(course, Some(entry), false)?;
    if !progress.is_solved(entry) && !insists(course, entry, &progress)? {
        return Ok("You see most in it when yours passes.".into());
    }

    let file = format!("solutions/src/{}", entry.file);
    let mut text = course.read(&file)?;
    text.push_str(&format!("\nThis was {file}.\n"));
    for other in others(course, entry) {
        text.push_str(&format!("Another right answer: {other}\n"));
    }
    text.push_str(&format!("The chapter compares them: {}", entry.chapter()));
    Ok(text)
}

/// Without a terminal there is nobody to ask.
fn insists(course: &Course, entry: &Entry, progress: &Progress) -> Result<bool, Error> {
    let label = course.syllabus.label(entry);
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Error::new(format!(
            "{label} is not solved yet. Our answer is for afterwards; a hint is for now: \
             cargo course hint {}",
            entry.name
        )));
    }
    let seen = progress.hints.get(&entry.name).copied().unwrap_or(0);
    let hints = hint::hints(course, entry)?.len();
    let mut stdout = io::stdout();
    write!(
        stdout,
        "{label} is not solved yet, and you have seen {seen} of {hints} hints.\n\
         Do you want to see our answer all the same? (y/N) "
    )?;
    stdout.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn others(course: &Course, entry: &Entry) -> Vec<String> {
    let folder = format!("solutions/other_answers/{}", entry.name);
    let found = fs::read_dir(course.root.join(&folder)).into_iter().flatten();
    let mut files: Vec<_> = found
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .map(|name| format!("{folder}/{name}"))
        .collect();
    files.sort();
    files
}
