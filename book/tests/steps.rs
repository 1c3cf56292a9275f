//! How large each step of the core is, and how much of it its chapter shows.

use std::fmt::Write;

use book::{coverage, read};

/// The new lines of a lesson that its chapter shows, of a hundred.
const SHARE: usize = 80;

/// How many steps of a chapter break its lesson, at least.
const BREAKS: usize = 2;

#[test]
fn the_chapters_of_the_core_show_their_code() -> Result<(), String> {
    let mut faults = String::new();
    println!("{}", coverage::TABLE);
    for (number, _) in coverage::BUDGETS {
        let step = coverage::step(number)?;
        println!("{step}");
        let (new, budget, share) = (step.new_lines(), step.budget(), step.share());
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
        if new > budget && !says_so {
            let _ = faults.write_fmt(format_args!(
                "{page}: {} has {new} new lines, and its budget is {budget}. The chapter says \
                 why, under a heading with “larger” in it, and with the number: \
                 {{{{#new_lines {}}}}}.\n",
                step.lesson, step.lesson
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
