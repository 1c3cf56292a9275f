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
