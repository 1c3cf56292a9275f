//! How large the step to each lesson is, and how much of it its chapter shows.

use std::fmt::Write;

use book::{coverage, read};

/// The new lines of a lesson that its chapter shows, of a hundred.
const SHARE: usize = 80;

/// How many steps of a chapter break its lesson, at least.
const BREAKS: usize = 2;

#[test]
fn each_chapter_shows_the_code_of_its_step() -> Result<(), String> {
    let mut faults = String::new();
    println!("{}", coverage::TABLE);
    for budget in coverage::BUDGETS {
        let number = budget.number;
        let step = match coverage::step(number) {
            Ok(step) => step,
            Err(sentence) => {
                let _ = writeln!(faults, "{sentence}");
                continue;
            }
        };
        println!("{step}");
        let (new, share) = (step.new_lines(), step.share());
        let page = format!("book/src/{}", step.chapter);
        let text = read(&page)?;

        if share < SHARE {
            let missing = step.missing();
            let first: Vec<String> =
                missing.iter().take(8).map(|line| format!("    {line}\n")).collect();
            let _ = faults.write_fmt(format_args!(
                "{page}: It shows {share} % of the new lines, and should show {SHARE} %. {} \
                 are missing (`cargo run -p book -- steps {number}` lists them), such as\n{}",
                missing.len(),
                first.concat()
            ));
        }
        let is_heading = |line: &&str| line.starts_with('#') && line.contains("larger");
        let says_so = text.lines().any(|line| is_heading(&line))
            && text.contains(&format!("{{{{#new_lines {}}}}}", step.lesson));
        if new > budget.lines && !says_so {
            let _ = faults.write_fmt(format_args!(
                "{page}: {} has {new} new lines, and its budget is {}. The chapter says \
                 why, under a heading with “larger” in it, and with the number: \
                 {{{{#new_lines {}}}}}.\n",
                step.lesson, budget.lines, step.lesson
            ));
        }
        let files = step.files.len();
        if files > budget.files {
            let _ = faults.write_fmt(format_args!(
                "lessons/{}/src has {files} files without its tests, and may have {}.\n",
                step.lesson, budget.files
            ));
        }
        for copy in step.copies() {
            let _ = faults.write_fmt(format_args!(
                "{copy}: Nothing is new in it. Take it from the library.\n"
            ));
        }
        if share < 100 && !text.contains("{{#left_out}}") {
            let _ = faults.write_fmt(format_args!(
                "{page}: It does not say what it leaves out: {{{{#left_out}}}} lists it.\n"
            ));
        }
        let breaks = text.matches("{{#break ").count();
        if breaks < BREAKS {
            let _ = faults.write_fmt(format_args!(
                "{page}: {breaks} of its steps break the lesson, {BREAKS} should.\n"
            ));
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
    Ok(())
}
