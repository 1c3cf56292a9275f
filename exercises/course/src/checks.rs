//! What the checks say: cargo's messages and the runner's, a JSON object in each line.

use std::path::Path;

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Ran {
        steps: Vec<Step>,
        warnings: usize,
    },
    DoesNotCompile(Vec<Fault>),
    /// The process has ended in the middle of one of these, which are paths of checks.
    Ended {
        during: Vec<String>,
        words: String,
    },
    /// None of these: cargo itself has said why, in the words that we have.
    Broken(String),
}

impl Outcome {
    /// Why the checks did not run, or not to their end.
    pub fn interruption(&self) -> Option<String> {
        let (sentence, words) = match self {
            Self::Ran { .. } | Self::DoesNotCompile(_) => return None,
            Self::Broken(words) => ("The checks did not run.".into(), words),
            Self::Ended { during, words } => (ended(during), words),
        };
        Some(match words.as_str() {
            "" => sentence,
            words => format!("{sentence} Cargo says:\n\n{words}"),
        })
    }
}

fn ended(during: &[String]) -> String {
    let how = "Perhaps it calls `std::process::exit`, or it aborts.";
    match during {
        [path] => format!("Your code ended the process during {path}. {how}"),
        all => format!(
            "Your code ended the process during one of these checks: {}. {how} \
             `cargo course check NAME` checks one exercise alone.",
            all.join(", ")
        ),
    }
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub exercise: String,
    pub name: String,
    pub passed: bool,
    /// What the learner should read: the sentence first. Empty if it has passed.
    pub remark: String,
    /// The file to open: the exercise's own, or the one whose panic ended the check.
    pub open: Option<String>,
}

/// An error of the compiler.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// File and line, such as `exercises/src/resume.rs:12`.
    pub location: Option<String>,
    pub message: String,
    /// All that the compiler says about it, with its colours if there are any.
    pub rendered: String,
}

/// One line of what cargo and the runner print. What we do not need stays unread.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    reason: String,
    message: Option<Message>,
    #[serde(rename = "type")]
    kind: String,
    event: String,
    name: String,
    stdout: String,
    open: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    message: String,
    rendered: Option<String>,
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: usize,
    is_primary: bool,
}

/// `stderr` matters only if there is nothing else.
pub fn outcome(stdout: &str, stderr: &str) -> Outcome {
    let lines: Vec<Line> =
        stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let steps: Vec<_> = lines.iter().filter_map(step).collect();
    let said = |level| lines.iter().filter_map(move |line| fault(line, level));

    let faults: Vec<_> = said("error").collect();
    let during = unfinished(&lines);
    if !faults.is_empty() {
        Outcome::DoesNotCompile(faults)
    } else if !during.is_empty() {
        Outcome::Ended { during, words: stderr.trim().into() }
    } else if steps.is_empty() {
        Outcome::Broken(stderr.trim().into())
    } else {
        Outcome::Ran { steps, warnings: said("warning").count() }
    }
}

/// The checks that have started and have no result. The checks of several exercises run at
/// the same time, so there may be more than one.
fn unfinished(lines: &[Line]) -> Vec<String> {
    let mut during = Vec::new();
    for line in lines.iter().filter(|line| line.kind == "test") {
        if line.event == "started" {
            during.push(line.name.clone());
        } else {
            during.retain(|name| *name != line.name);
        }
    }
    during
}

fn step(line: &Line) -> Option<Step> {
    let passed = match line.event.as_str() {
        "ok" => true,
        "failed" | "timeout" => false,
        _ => return None, // It has started, or is left out.
    };
    let (exercise, name) = line.name.rsplit_once("::").filter(|_| line.kind == "test")?;
    let exercise = exercise.rsplit("::").next().unwrap_or(exercise);
    let remark = if passed { "" } else { line.stdout.trim() };
    Some(Step {
        exercise: exercise.into(),
        name: name.into(),
        passed,
        remark: remark.into(),
        open: line.open.clone(),
    })
}

fn fault(line: &Line, level: &str) -> Option<Fault> {
    let message = line.message.as_ref().filter(|message| message.level == level)?;
    // "aborting due to …" has no location, and says nothing that the others do not.
    let span = message.spans.iter().find(|span| span.is_primary)?;
    let file = span.file_name.replace('\\', "/");
    Some(Fault {
        location: Some(format!("{file}:{}", span.line_start)),
        message: message.message.clone(),
        rendered: message.rendered.clone().unwrap_or_default(),
    })
    .filter(|_| line.reason == "compiler-message" && Path::new(&file).is_relative())
}
