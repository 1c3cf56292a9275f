//! Downloads and compiles what a day needs, so that afterwards it needs no network.

use std::{fs, io, path::Path, time::Instant};

use crate::{runner::cargo, screen};

/// Builds some lessons, by their numbers, or all of them, with the exercises.
///
/// Each is built as a reader will: `cargo run -p lesson_01_echo` needs fewer features of its
/// dependencies than all lessons together, so what `cargo build` compiles does not serve it.
pub fn prepare(root: &Path, numbers: &[String]) -> io::Result<String> {
    let lessons = lessons(root, numbers)?;
    let begun = Instant::now();

    run(root, "the downloads", &["fetch", "--locked"])?;
    for lesson in &lessons {
        run(root, lesson, &["build", "--locked", "--offline", "-p", lesson])?;
        run(root, &format!("{lesson}, its tests"), &["test", "--no-run", "-p", lesson])?;
    }
    run(root, "the exercises", &["build", "--locked", "--offline", "-p", "exercises"])?;
    run(root, "their checks", &["test", "--no-run", "-p", "exercises"])?;
    run(root, "the board", &["build", "--locked", "--offline", "-p", "board"])?;

    let minutes = begun.elapsed().as_secs().div_ceil(60);
    let all = if lessons.len() == 1 {
        lessons[0].clone()
    } else {
        format!("{} lessons", lessons.len())
    };
    Ok(format!(
        "Ready, after {minutes} min: {all} and the exercises. They need no network now."
    ))
}

/// The packages of these lessons, in their order.
fn lessons(root: &Path, numbers: &[String]) -> io::Result<Vec<String>> {
    let mut all: Vec<String> = fs::read_dir(root.join("lessons"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("lesson_"))
        .collect();
    all.sort();
    for number in numbers {
        if !all.iter().any(|name| is_lesson(name, number)) {
            return Err(io::Error::other(format!("There is no lesson {number}.")));
        }
    }
    all.retain(|name| {
        numbers.is_empty() || numbers.iter().any(|number| is_lesson(name, number))
    });
    Ok(all)
}

fn is_lesson(name: &str, number: &str) -> bool {
    name.strip_prefix("lesson_")
        .is_some_and(|rest| rest.split('_').next() == Some(number))
}

/// Runs cargo, whose own words are shown only if it fails.
fn run(root: &Path, what: &str, arguments: &[&str]) -> io::Result<()> {
    screen::begin(&format!("{what} … "));
    let begun = Instant::now();
    let done = cargo().args(arguments).current_dir(root).output()?;
    if done.status.success() {
        screen::say(&format!("{} s", begun.elapsed().as_secs()));
        return Ok(());
    }
    screen::say("failed");
    let words = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("cargo {}\n{}", arguments.join(" "), words.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course;

    fn chosen(numbers: &[&str]) -> Result<Vec<String>, String> {
        let numbers: Vec<_> = numbers.iter().map(|&number| number.into()).collect();
        lessons(&course::root(), &numbers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_is_a_lesson_and_none_means_all() {
        let some = chosen(&["03", "01"]).expect("there are such lessons");
        let all = chosen(&[]).expect("there are lessons");

        assert_eq!(some, ["lesson_01_echo", "lesson_03_connection_manager"], "in order");
        assert!(all.len() > 10 && all.contains(&some[1]), "all of them: {all:?}");
    }

    #[test]
    fn a_number_without_a_lesson_is_refused() {
        for number in ["99", "1", ""] {
            let refused = chosen(&[number]);
            assert_eq!(
                refused,
                Err(format!("There is no lesson {number}.")),
                "no such one"
            );
        }
    }
}
