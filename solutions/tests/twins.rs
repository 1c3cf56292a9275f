//! The learner's checks and ours are the same files.

use std::{fs, path::PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of the exercises, as the syllabus has them.
fn files() -> Vec<String> {
    let syllabus = fs::read_to_string(root().join("exercises/syllabus.json"));
    let syllabus: Value =
        serde_json::from_str(&syllabus.expect("it is there")).expect("it is JSON");
    let entries = syllabus.as_array().expect("it is a list");
    entries.iter().filter_map(|entry| entry["file"].as_str()).map(String::from).collect()
}

/// An attribute with a path, or a line in a `mod.rs`.
#[test]
fn every_check_of_the_exercises_runs_here_too() {
    let solved = fs::read_to_string(root().join("solutions/tests/solved.rs"));
    let solved = solved.expect("our tests can be read");
    let warm_ups = fs::read_to_string(root().join("exercises/tests/warm_ups/mod.rs"));
    let warm_ups = warm_ups.expect("it can be read");

    for file in files() {
        let is_here = match file.strip_prefix("warm_ups/") {
            Some(name) => {
                warm_ups.contains(&format!("mod {};", name.trim_end_matches(".rs")))
            }
            None => solved.contains(&format!("exercises/tests/{file}\"")),
        };
        assert!(is_here, "solutions/tests/solved.rs should run exercises/tests/{file}");
    }
}

/// The program that runs the checks has a list of its own, because a macro cannot read the
/// syllabus.
#[test]
fn the_runner_has_the_exercises_of_the_syllabus() {
    let runner = fs::read_to_string(root().join("exercises/tests/checks.rs"));
    let runner = runner.expect("it can be read");
    let listed: Vec<_> = runner
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\"")?.strip_suffix("::STEPS),"))
        .map(|entry| entry.split_once("\", ").expect("a name and a path"))
        .collect();
    let names: Vec<_> = files()
        .iter()
        .map(|file| file.trim_end_matches(".rs").replace('/', "::"))
        .map(|path| (path.rsplit("::").next().unwrap_or_default().to_owned(), path))
        .collect();
    let names: Vec<_> =
        names.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();

    assert_eq!(listed, names, "exercises/tests/checks.rs and the syllabus should agree");
}

#[test]
fn every_check_is_in_its_list() {
    for file in files() {
        let path = root().join("exercises/tests").join(file);
        let text = fs::read_to_string(&path).expect("they can be read");
        let steps: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("async fn ")?.split_once("() -> Check"))
            .map(|(name, _)| name)
            .collect();
        let listed: Vec<_> = text
            .lines()
            .skip_while(|line| *line != "probe::steps! {")
            .skip(1)
            .take_while(|line| *line != "}")
            .map(|line| line.trim().trim_end_matches(','))
            .collect();

        assert_eq!(
            listed,
            steps,
            "the list of {} is its steps, in order",
            path.display()
        );
        for (i, step) in (1..).zip(steps) {
            let number = format!("step_{i}_");
            assert!(step.starts_with(&number), "{step} should begin with {number}");
        }
    }
}
