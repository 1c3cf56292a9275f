//! The learner's checks and ours are the same files.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_check_of_the_exercises_runs_here_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files: BTreeSet<String> = fs::read_dir(root.join("exercises/tests"))
        .expect("the checks are there")
        .map(|entry| entry.expect("they can be listed").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name != "checks.rs") // The program that runs them.
        .collect();

    for name in &files {
        let twin = fs::read_to_string(root.join("solutions/tests").join(name));
        let line = format!("include!(\"../../exercises/tests/{name}\");");

        assert!(
            twin.is_ok_and(|text| text.contains(&line)),
            "solutions/tests/{name} should have the line {line}"
        );
    }
    assert_eq!(files.len(), 7, "there are seven exercises");
}

#[test]
fn every_check_is_in_its_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exercises/tests");

    for entry in fs::read_dir(root).expect("the checks are there") {
        let path = entry.expect("they can be listed").path();
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
