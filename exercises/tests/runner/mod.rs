//! The program that runs the checks, and says how far you are.
//!
//! It takes the arguments of Rust's own test runner, so that editors and `cargo nextest`
//! can use it. What it prints is for somebody who learns.

pub mod arguments;
pub mod exercise;
pub mod json;
pub mod report;
pub mod run;
pub mod text;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Instant,
};

use arguments::{Action, Arguments, Format, HELP};
use exercise::Exercise;
use probe::Check;

/// The name of a check, and the check.
pub type Step = (&'static str, fn() -> Check);

/// For failed checks and for wrong arguments: Rust's own test runner uses it, too.
const FAILURE: u8 = 101;

/// Runs what the arguments of this process ask for.
pub fn main(checks: &[(&'static str, &'static [Step])]) -> ExitCode {
    let exercises = exercise::all(checks);
    let arguments = std::env::args().skip(1);
    let code = arguments::parse(arguments, &exercises)
        .and_then(|arguments| act(&arguments, &exercises));

    code.unwrap_or_else(|sentence| {
        eprintln!("error: {sentence}");
        ExitCode::from(FAILURE)
    })
}

fn act(arguments: &Arguments, exercises: &[Exercise]) -> Result<ExitCode, String> {
    match arguments.action {
        Action::Help => print(HELP),
        Action::List => print(&list(arguments, exercises)),
        Action::Run => {
            let selected = arguments.select(exercises)?;
            let passed = match arguments.format {
                Format::Json => with_json(arguments, &selected, exercises),
                Format::Pretty | Format::Terse => {
                    with_report(arguments, &selected, exercises)
                }
            };
            if !passed {
                return Ok(ExitCode::from(FAILURE));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As Rust's own test runner lists tests. Nothing is ever ignored here.
fn list(arguments: &Arguments, exercises: &[Exercise]) -> String {
    let selected = arguments.select(exercises).unwrap_or_default();
    let names = selected.iter().flat_map(|(exercise, steps)| {
        steps.iter().map(|(step, _)| format!("{}: test\n", exercise.path(step)))
    });
    let mut text: String = names.collect();
    if arguments.format == Format::Pretty {
        let count = text.lines().count();
        let word = if count == 1 { "test" } else { "tests" };
        text.push_str(&format!("\n{count} {word}, 0 benchmarks\n"));
    }
    text
}

fn with_json(
    arguments: &Arguments,
    selected: &[arguments::Selected],
    exercises: &[Exercise],
) -> bool {
    let start = Instant::now();
    let count = arguments::count(selected);
    print(&json::suite_started(count));
    let reports =
        run::all(selected, arguments.threads, &|event| print(&json::test(event)));
    let passed = reports.iter().map(|report| report.passed.len()).sum();
    let all = exercises.iter().map(|exercise| exercise.steps.len()).sum::<usize>();
    print(&json::suite_ended(passed, count - passed, all - count, start.elapsed()));
    passed == count
}

fn with_report(
    arguments: &Arguments,
    selected: &[arguments::Selected],
    exercises: &[Exercise],
) -> bool {
    let reports = run::all(selected, arguments.threads, &|_| {});
    let coloured = arguments.color.unwrap_or_else(|| io::stdout().is_terminal());
    let style = report::Style {
        coloured,
        verbose: arguments.verbose,
        quiet: arguments.format == Format::Terse,
    };
    print(&report::write(&reports, exercises, style));
    reports.iter().all(|report| report.failed.is_empty())
}

/// In one piece, so that nothing can come in between. Whoever reads may have gone: then
/// there is nobody left to tell.
fn print(text: &str) {
    let mut output = io::stdout().lock();
    drop(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
}
