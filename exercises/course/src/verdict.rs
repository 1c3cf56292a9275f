//! What the checks of one exercise have found, the sentence first.

use std::process::ExitCode;

use crate::{
    checks::{Fault, Outcome, Step, outcome},
    course::{Course, Error},
    runner,
    screen::{self, Style, fit},
    syllabus::Entry,
};

/// What the shell needs for itself, above and below.
const PROMPT: usize = 2;

pub fn check(
    course: &Course,
    name: Option<&str>,
    json: bool,
    style: Style,
) -> Result<ExitCode, Error> {
    let named = name.map(|name| course.syllabus.find(name)).transpose()?;
    if json {
        return pass_on(course, named);
    }
    let (outcome, progress) = runner::run(course, named, style.colour)?;
    let Some(entry) = named.or_else(|| progress.next(course)) else {
        screen::say("All warm-ups and exercises are solved.");
        return Ok(ExitCode::SUCCESS);
    };
    let room = style.height.map(|height| height.saturating_sub(PROMPT));
    screen::say(&lines(course, entry, &outcome, style, room).join("\n"));
    Ok(exit_code(&outcome, entry))
}

/// The lines of cargo and of the runner, as they are.
fn pass_on(course: &Course, named: Option<&Entry>) -> Result<ExitCode, Error> {
    let current = || runner::run(course, None, false).map(|(_, progress)| progress);
    let entry = match named {
        Some(entry) => Some(entry),
        None => current()?.next(course),
    };
    let (stdout, stderr) = runner::said(runner::command(course, entry, false))?;
    let outcome = outcome(&stdout, &stderr);
    runner::note(course, &outcome);
    match (&outcome, entry) {
        (Outcome::Broken(words), _) if !words.is_empty() => Err(Error::new(words)),
        (Outcome::Ended { .. } | Outcome::Broken(_), _) => {
            screen::say(stdout.trim_end());
            Err(Error::new(outcome.interruption().unwrap_or_default()))
        }
        (_, Some(entry)) => {
            screen::say(stdout.trim_end());
            Ok(exit_code(&outcome, entry))
        }
        (_, None) => {
            screen::say(stdout.trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn exit_code(outcome: &Outcome, entry: &Entry) -> ExitCode {
    if is_solved(outcome, entry) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub fn is_solved(outcome: &Outcome, entry: &Entry) -> bool {
    let own = own_steps(outcome, entry);
    !own.is_empty() && own.iter().all(|step| step.passed)
}

pub fn own_steps<'a>(outcome: &'a Outcome, entry: &Entry) -> Vec<&'a Step> {
    match outcome {
        Outcome::Ran { steps, .. } => {
            steps.iter().filter(|step| step.exercise == entry.name).collect()
        }
        _ => Vec::new(),
    }
}

/// What to show of an exercise, in so many lines.
pub fn lines(
    course: &Course,
    entry: &Entry,
    outcome: &Outcome,
    style: Style,
    room: Option<usize>,
) -> Vec<String> {
    let room = room.unwrap_or(usize::MAX);
    match outcome {
        Outcome::DoesNotCompile(faults) => does_not_compile(faults, style, room),
        Outcome::Ended { .. } | Outcome::Broken(_) => {
            let text = outcome.interruption().unwrap_or_default();
            fit(style.wrap(&text), room, "cargo test -p exercises")
        }
        Outcome::Ran { warnings, .. } => {
            let own = own_steps(outcome, entry);
            match own.iter().find(|step| !step.passed) {
                Some(step) => failed(course, entry, step, &own, style, room),
                None if own.is_empty() => {
                    vec![format!("{} has no checks.", course.syllabus.label(entry))]
                }
                None => solved(course, entry, own.len(), *warnings, style),
            }
        }
    }
}

/// The compiler's words about its first error. The others often follow from it.
pub fn does_not_compile(faults: &[Fault], style: Style, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(first) = faults.first() else { return lines };
    let location = first.location.as_deref().unwrap_or("see below");
    lines.push(style.bold(&format!("Your code does not compile: {location}")));
    lines.push(String::new());
    // It has colours, which take no room: so it is not wrapped.
    lines.extend(first.rendered.trim_end().lines().map(String::from));
    let more = match faults.len() - 1 {
        0 => None,
        1 => Some("One more error: cargo check -p exercises".into()),
        more => Some(format!("{more} more errors: cargo check -p exercises")),
    };
    let end = if more.is_some() { 2 } else { 0 };
    let mut lines = fit(lines, room.saturating_sub(end), "cargo check -p exercises");
    lines.extend(more.into_iter().flat_map(|more| [String::new(), more]));
    lines
}

fn failed(
    course: &Course,
    entry: &Entry,
    step: &Step,
    own: &[&Step],
    style: Style,
    room: usize,
) -> Vec<String> {
    let (sentence, details) = match step.remark.split_once("\n\n") {
        Some((sentence, details)) => (sentence, details.trim_matches('\n')),
        None => (step.remark.as_str(), ""),
    };
    let passed = own.iter().filter(|step| step.passed).count();
    let path = format!("{}::{}", entry.name, step.name);
    let all = format!("cargo test -p exercises -- {}", short(&path));

    let mut lines = fit(style.wrap(sentence), (room / 2).max(3), &all);
    for line in &mut lines {
        *line = style.bold(line);
    }
    lines.push(String::new());
    lines.extend(style.wrap(&format!("  step   {path}")));
    let open = step.open.clone().unwrap_or_else(|| entry.source());
    lines.push(format!("  open   {open}"));
    lines.push(format!("  read   {}", entry.chapter()));
    lines.push(format!("  hint   cargo course hint {}", entry.name));
    lines.push(String::new());

    let heading = course.syllabus.heading(entry);
    let last = format!("{heading}: {passed} of {} steps pass.", own.len());
    let left = room.saturating_sub(lines.len() + 1);
    if !details.is_empty() && left > 2 {
        lines.extend(fit(style.wrap(details), left - 1, &all));
        lines.push(String::new());
    }
    lines.push(last);
    let list: Vec<_> = own.iter().map(|step| line_of(step, style)).collect();
    if lines.len() + list.len() <= room {
        lines.extend(list);
    }
    fit(lines, room, &all) // A small window has no room for all of it.
}

/// The beginning of a check's path, as far as one types it.
fn short(path: &str) -> String {
    let (exercise, step) = path.split_once("::").unwrap_or((path, ""));
    let step: Vec<_> = step.splitn(3, '_').take(2).collect();
    format!("{exercise}::{}_", step.join("_"))
}

fn line_of(step: &Step, style: Style) -> String {
    let state = if step.passed { style.green("ok    ") } else { style.red("FAILED") };
    let name: String = step.name.chars().take(style.width.saturating_sub(10)).collect();
    format!("  {state}  {name}")
}

fn solved(
    course: &Course,
    entry: &Entry,
    steps: usize,
    warnings: usize,
    style: Style,
) -> Vec<String> {
    let heading = course.syllabus.heading(entry);
    let mut lines = vec![
        style.green(&format!("{heading} is solved: all {steps} steps pass.")),
        format!("  compare with ours   cargo course solution {}", entry.name),
    ];
    if warnings > 0 {
        lines.push("  the compiler warns  cargo check -p exercises".into());
    }
    lines
}
