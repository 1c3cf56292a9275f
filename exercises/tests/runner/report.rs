//! What people read: the first thing to repair, and how far they are.
//!
//! What came of one exercise fits on a terminal of 80 columns and 24 lines, together with
//! what cargo prints.

use super::{
    Exercise,
    run::{Fault, Report},
    text::{cut, wrapped},
};

const WIDTH: usize = 80;

/// How many lines the remark on a failed step may take. There are nine more lines of ours,
/// four of cargo and the prompt.
const REMARK_LINES: usize = 10;

/// How many of these are for the conversation, at least: its heading, the line that says
/// how much is left out, and the last two lines.
const CONVERSATION_LINES: usize = 4;

const CONVERSATION: &str = "The conversation so far:";

#[derive(Clone, Copy)]
pub struct Style {
    pub coloured: bool,
    /// Each conversation is whole, and each step has its line.
    pub verbose: bool,
    /// There is no list of all exercises.
    pub quiet: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// All that is printed after the checks.
pub fn write(reports: &[Report], exercises: &[Exercise], style: Style) -> String {
    let mut text = String::from("\n");
    if style.verbose {
        let lists: Vec<_> = reports.iter().map(|report| steps(report, style)).collect();
        text.push_str(&lists.join("\n"));
    }
    if let [report] = reports {
        if !style.verbose {
            text.push_str(&result(report, style));
        }
    } else if !style.quiet {
        if style.verbose {
            text.push('\n');
        }
        text.push_str("Where you are\n\n");
        for report in reports {
            text.push_str(&entry(report, style));
        }
    }

    let failing = reports.iter().find(|report| !report.failed.is_empty());
    match failing {
        Some(report) => text.push_str(&next(report, reports.len() > 1, style)),
        None => {
            let all =
                reports.len() == exercises.iter().filter(|e| !e.steps.is_empty()).count();
            let whole = reports.iter().all(|r| r.passed.len() == r.exercise.steps.len());
            let sentence = match (all && whole, reports) {
                (true, _) => "All is done. Now compare with solutions/src.".into(),
                (false, [only]) if whole => {
                    format!(
                        "Done. Now compare with {}.",
                        only.exercise.file.replace("exercises", "solutions")
                    )
                }
                _ => "All of these pass.".to_owned(),
            };
            text.push_str(&format!("\n{}\n", style.good(&sentence)));
        }
    }
    text
}

/// A line for each step.
fn steps(report: &Report, style: Style) -> String {
    let mut text = format!("{}\n\n", style.bold(&report.exercise.heading()));
    for (step, _) in report.exercise.steps {
        if report.passed.contains(step) {
            text.push_str(&format!("  {}      {step}\n", style.good("ok")));
        } else if report.failed.iter().any(|(failed, _)| failed == step) {
            text.push_str(&format!("  {}  {step}\n", style.bad("FAILED")));
        }
    }
    text
}

/// What came of the only exercise that was asked for, in a line.
fn result(report: &Report, style: Style) -> String {
    let count = match (report.passed.as_slice(), report.failed.as_slice()) {
        ([step], []) => format!("{} passes", short(step)),
        ([], [(step, _)]) => format!("{} fails", short(step)),
        _ => progress(report),
    };
    let failed: Vec<_> =
        report.failed.iter().map(|(step, _)| short(step).replace("step_", "")).collect();
    let failed = match failed.as_slice() {
        [] | [_] => String::new(),
        _ if report.passed.is_empty() => String::new(),
        [first @ .., last] => format!(" (not {} and {last})", first.join(", ")),
    };
    let heading = report.exercise.heading();
    let line = cut(&format!("{heading}: {count}{failed}"), WIDTH);
    format!("{}\n", style.bold(&line))
}

/// "3 of 8 steps".
fn progress(report: &Report) -> String {
    let passed = report.passed.len();
    let chosen = passed + report.failed.len();
    let all = report.exercise.steps.len();
    let word = if chosen == 1 { "step" } else { "steps" };
    let which = if chosen < all { "chosen " } else { "" };
    format!("{passed} of {chosen} {which}{word}")
}

/// An exercise among others, in a line.
fn entry(report: &Report, style: Style) -> String {
    let is_whole = report.passed.len() == report.exercise.steps.len();
    let state = match (report.passed.len(), report.failed.first()) {
        (_, None) if is_whole => style.good("done"),
        (_, None) => style.good(&progress(report)),
        (0, Some(_)) if report.failed.len() == report.exercise.steps.len() => {
            style.dim("not begun")
        }
        (_, Some((step, _))) => cut(&format!("{}, next {step}", progress(report)), 46),
    };
    let number = match report.exercise.number {
        Some(number) => format!("{number:>2}"),
        None => report.exercise.name.replace("warm_up_", ""),
    };
    let kind = if report.exercise.number.is_some() { "  " } else { "W " };
    format!("{kind}{number}  {:26}{state}\n", report.exercise.title)
}

/// The first step that failed, and what to do now.
fn next(report: &Report, is_one_of_many: bool, style: Style) -> String {
    let Some((step, fault)) = report.failed.first() else { return String::new() };
    let exercise = report.exercise;
    let mut text = String::new();
    if is_one_of_many {
        let heading = format!("Next: {}, {}", exercise.in_a_sentence(), exercise.title);
        text.push_str(&format!("\n{}\n", style.bold(&heading)));
    }
    text.push_str(&format!("\n  {}\n", style.bad(step)));
    for line in remark(fault, style) {
        text.push_str(&format!("{line}\n"));
    }

    let command =
        format!("cargo test -p exercises -- {}::{}", exercise.name, short(step));
    let lines = [
        ("Open  ", fault.open.clone()),
        ("Read  ", exercise.chapter()),
        ("Run   ", command),
        ("Hint  ", format!("cargo course hint {}", exercise.name)),
    ];
    text.push('\n');
    for (word, what) in lines {
        text.push_str(&format!("  {}{what}\n", style.bold(word)));
    }
    text
}

/// The sentence first, and then the end of the conversation, as much of it as there is
/// room for.
fn remark(fault: &Fault, style: Style) -> Vec<String> {
    let indented = |line: &str| format!("    {}", line.trim_end()).trim_end().to_owned();
    let remark = fault.remark.trim_end();
    if style.verbose {
        return remark.lines().map(indented).collect();
    }
    let (sentence, conversation) = match remark.split_once(CONVERSATION) {
        Some((sentence, conversation)) => (sentence, conversation.trim_matches('\n')),
        None => (remark, ""),
    };
    let conversation: Vec<_> = conversation.lines().map(str::trim).collect();
    let most = match conversation.as_slice() {
        [] => REMARK_LINES,
        few => REMARK_LINES - CONVERSATION_LINES.min(few.len() + 1),
    };
    let paragraphs = sentence.trim_end().lines();
    let mut lines: Vec<_> =
        paragraphs.flat_map(|line| wrapped(&indented(line), WIDTH)).collect();
    if lines.len() > most {
        lines.truncate(most - 1);
        lines.push(indented("… and more: --nocapture shows all"));
    }
    if conversation.is_empty() {
        return lines;
    }

    let room = REMARK_LINES - lines.len() - 1;
    let (earlier, last) = match conversation.len().checked_sub(room) {
        Some(more) if more > 0 => conversation.split_at(more + 1),
        _ => (&[][..], conversation.as_slice()),
    };
    lines.push(indented(CONVERSATION));
    match earlier {
        [] => {}
        // The conversation itself leaves out its beginning.
        ["…", ..] => lines.push("      … earlier lines, --nocapture shows more".into()),
        [_] => lines.push("      … 1 earlier line, --nocapture shows all".into()),
        _ => {
            let count = earlier.len();
            lines.push(format!("      … {count} earlier lines, --nocapture shows all"));
        }
    }
    lines.extend(last.iter().map(|line| cut(&format!("      {line}"), WIDTH)));
    lines
}

/// "step_3", which is enough to run it.
fn short(step: &str) -> String {
    step.splitn(3, '_').take(2).collect::<Vec<_>>().join("_")
}
