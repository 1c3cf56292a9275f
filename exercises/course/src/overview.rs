//! Where you are: the bar, the list, and what is next.

use serde_json::{Value, json};

use crate::{
    checks::Outcome,
    course::{Course, Error},
    progress::Progress,
    runner,
    screen::Style,
    syllabus::Entry,
    verdict,
};

/// How many columns the bar has, which is full when all is solved.
const BAR: usize = 38;

pub fn overview(course: &Course, style: Style) -> Result<String, Error> {
    let (outcome, progress) = runner::run(course, None, style.colour)?;
    let mut lines = in_the_way(&outcome, style)?;
    lines.push(bar(course, &progress, style));
    lines.push(String::new());
    lines.extend(next_lines(course, &outcome, &progress, style));
    lines.push(String::new());
    lines.push("  cargo course watch    checks it at each save".into());
    lines.push("  cargo course list     shows all".into());
    Ok(lines.join("\n"))
}

pub fn next(course: &Course, style: Style) -> Result<String, Error> {
    let (outcome, progress) = runner::run(course, None, style.colour)?;
    let mut lines = in_the_way(&outcome, style)?;
    lines.extend(next_lines(course, &outcome, &progress, style));
    Ok(lines.join("\n"))
}

pub fn list(course: &Course, style: Style) -> Result<String, Error> {
    let (outcome, progress) = runner::run(course, None, style.colour)?;
    let mut lines = in_the_way(&outcome, style)?;
    let next = progress.next(course);
    lines.extend(list_lines(course, &outcome, &progress, next, style));
    Ok(lines.join("\n"))
}

/// Code that does not compile comes first: nothing else can be checked before.
fn in_the_way(outcome: &Outcome, style: Style) -> Result<Vec<String>, Error> {
    match outcome {
        Outcome::Ran { .. } => Ok(Vec::new()),
        Outcome::Ended { .. } | Outcome::Broken(_) => {
            Err(Error::new(outcome.interruption().unwrap_or_default()))
        }
        Outcome::DoesNotCompile(faults) => {
            let room = style.height.map_or(usize::MAX, |height| height / 2);
            let mut lines = verdict::does_not_compile(faults, style, room);
            lines.push(String::new());
            lines.push("What follows is as it was when your code compiled last.".into());
            lines.push(String::new());
            Ok(lines)
        }
    }
}

fn bar(course: &Course, progress: &Progress, style: Style) -> String {
    let solved = |is_warm_up: bool| {
        let own = course.syllabus.entries.iter();
        let own: Vec<_> = own.filter(|entry| entry.is_warm_up() == is_warm_up).collect();
        let solved = own.iter().filter(|entry| progress.is_solved(entry)).count();
        (solved, own.len())
    };
    let ((warm_ups, all_warm_ups), (exercises, all_exercises)) =
        (solved(true), solved(false));
    let all = all_warm_ups + all_exercises;
    let full = BAR * (warm_ups + exercises) / all.max(1);
    format!(
        "{}{}  {warm_ups} of {all_warm_ups} warm-ups, {exercises} of {all_exercises} exercises",
        style.green(&"█".repeat(full)),
        style.quiet(&"░".repeat(BAR - full)),
    )
}

pub fn next_lines(
    course: &Course,
    outcome: &Outcome,
    progress: &Progress,
    style: Style,
) -> Vec<String> {
    let Some(entry) = progress.next(course) else {
        return vec![
            style.green("All warm-ups and exercises are solved."),
            "  a service of your own   cargo course new ../my-chat".into(),
        ];
    };
    let heading = course.syllabus.heading(entry);
    let steps = verdict::own_steps(outcome, entry);
    let mut lines = vec![style.bold(&format!("Next: {heading}"))];
    lines.push(format!("  read   {}", entry.chapter()));
    lines.push(format!("  open   {}", entry.source()));
    if let Some(step) = steps.iter().find(|step| !step.passed) {
        lines.extend(style.wrap(&format!("  step   {}", step.name)));
    }
    lines
}

/// The one that `current` is gets a mark.
pub fn list_lines(
    course: &Course,
    outcome: &Outcome,
    progress: &Progress,
    current: Option<&Entry>,
    style: Style,
) -> Vec<String> {
    let current = current.map(|entry| &entry.name);
    let line = |entry: &Entry| {
        let state = state(outcome, progress, entry);
        let state = match state.as_str() {
            "solved" => style.green(&format!("{state:13}")),
            _ => format!("{state:13}"),
        };
        let mark = if current == Some(&entry.name) { ">" } else { " " };
        let number = match course.syllabus.label(entry).strip_prefix("Exercise ") {
            Some(number) => format!("{number:>2}"),
            None => "  ".into(),
        };
        format!("{mark} {state} {number} {:18} {}", entry.name, entry.title)
    };
    course.syllabus.entries.iter().map(line).collect()
}

fn state(outcome: &Outcome, progress: &Progress, entry: &Entry) -> String {
    let steps = verdict::own_steps(outcome, entry);
    let passed = steps.iter().filter(|step| step.passed).count();
    if progress.is_solved(entry) {
        "solved".into()
    } else if passed == 0 {
        "-".into()
    } else {
        format!("{passed} of {} steps", steps.len())
    }
}

pub fn as_json(course: &Course) -> Result<String, Error> {
    let (outcome, progress) = runner::run(course, None, false)?;
    if let Some(words) = outcome.interruption() {
        return Err(Error::new(words));
    }
    let entries: Vec<_> = course
        .syllabus
        .entries
        .iter()
        .map(|entry| entry_as_json(course, entry, &outcome, &progress))
        .collect();
    let compiles = matches!(outcome, Outcome::Ran { .. });
    Ok(json!({ "compiles": compiles, "entries": entries }).to_string())
}

fn entry_as_json(
    course: &Course,
    entry: &Entry,
    outcome: &Outcome,
    progress: &Progress,
) -> Value {
    let steps: Vec<_> = verdict::own_steps(outcome, entry)
        .into_iter()
        .map(|step| json!({ "name": step.name, "passed": step.passed }))
        .collect();
    json!({
        "name": entry.name,
        "title": entry.title,
        "label": course.syllabus.label(entry),
        "file": entry.source(),
        "chapter": entry.chapter(),
        "solved": progress.is_solved(entry),
        "steps": steps,
    })
}
