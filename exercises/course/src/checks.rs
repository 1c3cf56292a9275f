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
    /// Neither: cargo itself has said why, in the words that we have.
    Broken(String),
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
    if !faults.is_empty() {
        Outcome::DoesNotCompile(faults)
    } else if steps.is_empty() {
        Outcome::Broken(stderr.trim().into())
    } else {
        Outcome::Ran { steps, warnings: said("warning").count() }
    }
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
