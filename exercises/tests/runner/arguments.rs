//! The arguments: those of Rust's own test runner, as far as they mean something here.

use std::{env, thread};

use super::{Exercise, Step, text};

pub const HELP: &str = "\
Runs the checks of the exercises.

    cargo test -p exercises                                all of them
    cargo test -p exercises -- typing_indicator            those of one exercise
    cargo test -p exercises -- 2                           the same, by its number
    cargo test -p exercises -- typing_indicator::step_3    one alone

    --list             lists the checks, and runs none
    --exact            the names are whole names, and no parts of names
    --skip NAME        leaves out the checks with this in their name
    --nocapture        prints each conversation whole (also --show-output)
    --quiet, -q        prints no list of all exercises
    --test-threads N   so many exercises are checked at the same time
    --color WHEN       auto, always or never; NO_COLOR=1 means never, too
    --format FORMAT    pretty, terse, or json: an event on each line, for programs
    --ignored          selects the checks that are otherwise ignored: there are none
    --help, -h         prints this

Hints, and a list of all exercises: cargo course
";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    Run,
    List,
    Help,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    Pretty,
    Terse,
    Json,
}

#[derive(Debug)]
pub struct Arguments {
    pub action: Action,
    pub format: Format,
    pub threads: usize,
    /// Unless somebody has decided, it depends on where the output goes.
    pub color: Option<bool>,
    pub verbose: bool,
    ignored_alone: bool,
    exact: bool,
    wanted: Vec<Wanted>,
    skipped: Vec<String>,
}

#[derive(Debug)]
enum Wanted {
    /// Part of the path of a step, or the whole.
    Path(String),
    /// The name of an exercise, by its number.
    Exercise(String),
}

/// An exercise, and those of its steps that somebody wants.
pub type Selected<'a> = (&'a Exercise, Vec<&'a Step>);

pub fn count(selected: &[Selected]) -> usize {
    selected.iter().map(|(_, steps)| steps.len()).sum()
}

/// Reads what stands behind `--`. An error is a sentence for whoever typed it.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    exercises: &[Exercise],
) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        action: Action::Run,
        format: Format::Pretty,
        threads: threads_by_default(),
        color: color_by_default(),
        verbose: false,
        ignored_alone: false,
        exact: false,
        wanted: Vec::new(),
        skipped: Vec::new(),
    };
    let mut arguments = arguments.into_iter();
    let mut flags_are_over = false;

    while let Some(argument) = arguments.next() {
        if flags_are_over || !argument.starts_with('-') {
            parsed.wanted.push(wanted(argument, exercises)?);
            continue;
        }
        let (flag, mut value) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || {
            let value = value.take().or_else(|| arguments.next());
            value.ok_or_else(|| format!("{flag} needs a value behind it."))
        };
        match flag {
            "--" => flags_are_over = true,
            "--help" | "-h" => parsed.action = Action::Help,
            "--list" if parsed.action == Action::Run => parsed.action = Action::List,
            "--list" => {}
            "--exact" => parsed.exact = true,
            "--ignored" => parsed.ignored_alone = true,
            "--skip" => parsed.skipped.push(as_a_path(&value()?)),
            "--nocapture" | "--no-capture" | "--show-output" => parsed.verbose = true,
            // `cargo test --quiet` gives it to us, too, whatever the format is.
            "--quiet" | "-q" if parsed.format == Format::Json => {}
            "--quiet" | "-q" => parsed.format = Format::Terse,
            "--test-threads" => parsed.threads = threads(&value()?)?,
            "--color" => match value()?.as_str() {
                "auto" => parsed.color = color_by_default(),
                "always" => parsed.color = Some(true),
                "never" => parsed.color = Some(false),
                other => return Err(unknown_value(flag, other, "auto, always or never")),
            },
            "--format" => match value()?.as_str() {
                "pretty" => parsed.format = Format::Pretty,
                "terse" => parsed.format = Format::Terse,
                "json" => parsed.format = Format::Json,
                other => return Err(unknown_value(flag, other, "pretty, terse or json")),
            },
            // Tools give these to all test runners. They change nothing here.
            "--include-ignored" | "--test" | "--report-time" => {}
            "-Z" => drop(value()?),
            _ => return Err(unknown_flag(flag)),
        }
    }
    Ok(parsed)
}

fn wanted(argument: String, exercises: &[Exercise]) -> Result<Wanted, String> {
    let Ok(number) = argument.parse::<usize>() else {
        return Ok(Wanted::Path(as_a_path(&argument)));
    };
    let numbered = |exercise: &&Exercise| exercise.number == Some(number);
    match exercises.iter().find(numbered) {
        Some(exercise) => Ok(Wanted::Exercise(exercise.name.clone())),
        None => Err(format!(
            "There is no exercise {number}. They are numbered 1 to {}, and the warm-ups \
             are called warm_up_01 and so on.",
            exercises.iter().filter_map(|exercise| exercise.number).max().unwrap_or(0)
        )),
    }
}

/// An editor sees each check in a module `steps`, and calls it by that path.
fn as_a_path(name: &str) -> String {
    name.replace("::steps::", "::").replace("warm_ups::", "")
}

fn threads_by_default() -> usize {
    let chosen = env::var("RUST_TEST_THREADS").ok();
    let chosen = chosen.and_then(|number| number.parse().ok()).filter(|&n| n > 0);
    chosen.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Colours are wanted nowhere if NO_COLOR says so, or on a terminal that has none.
fn color_by_default() -> Option<bool> {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    (no_color || dumb).then_some(false)
}

fn threads(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(threads) if threads > 0 => Ok(threads),
        _ => Err(unknown_value("--test-threads", value, "a number from 1")),
    }
}

fn unknown_value(flag: &str, value: &str, expected: &str) -> String {
    format!("{flag} needs {expected}, and not {value:?}.")
}

fn unknown_flag(flag: &str) -> String {
    const FLAGS: [&str; 13] = [
        "--list",
        "--exact",
        "--skip",
        "--nocapture",
        "--no-capture",
        "--show-output",
        "--quiet",
        "--test-threads",
        "--color",
        "--format",
        "--ignored",
        "--include-ignored",
        "--help",
    ];
    let advice = match text::nearest(flag, FLAGS) {
        Some(near) => format!("Did you mean {near}?"),
        None => "--help lists all of them.".into(),
    };
    format!("There is no flag {flag}. {advice}")
}

impl Arguments {
    /// The exercises that are wanted, each with its steps that are wanted.
    ///
    /// A name that selects nothing is an error: it is a mistake in typing.
    pub fn select<'a>(
        &self,
        exercises: &'a [Exercise],
    ) -> Result<Vec<Selected<'a>>, String> {
        if self.ignored_alone {
            return Err("No check is ignored, so --ignored selects nothing.".into());
        }
        let selects_any = |wanted| {
            exercises.iter().any(|exercise| {
                let mut steps = exercise.steps.iter();
                steps.any(|(step, _)| {
                    self.is_meant(wanted, exercise, &exercise.path(step))
                })
            })
        };
        if let Some(wanted) = self.wanted.iter().find(|wanted| !selects_any(wanted)) {
            return Err(nothing_is_called(wanted, exercises));
        }

        let selected = exercises.iter().map(|exercise| {
            let steps = exercise.steps.iter();
            (exercise, steps.filter(|(step, _)| self.includes(exercise, step)).collect())
        });
        let selected: Vec<_> =
            selected.filter(|(_, steps): &Selected| !steps.is_empty()).collect();
        if selected.is_empty() {
            return Err("No check is left: --skip leaves all of them out.".into());
        }
        Ok(selected)
    }

    fn includes(&self, exercise: &Exercise, step: &str) -> bool {
        let path = exercise.path(step);
        let is_wanted = self.wanted.is_empty()
            || self.wanted.iter().any(|wanted| self.is_meant(wanted, exercise, &path));
        is_wanted && !self.skipped.iter().any(|skipped| self.fits(skipped, &path))
    }

    fn is_meant(&self, wanted: &Wanted, exercise: &Exercise, path: &str) -> bool {
        match wanted {
            Wanted::Path(wanted) => self.fits(wanted, path),
            Wanted::Exercise(name) => exercise.name == *name,
        }
    }

    fn fits(&self, wanted: &str, path: &str) -> bool {
        if self.exact { path == wanted } else { path.contains(wanted) }
    }
}

fn nothing_is_called(wanted: &Wanted, exercises: &[Exercise]) -> String {
    let (Wanted::Path(wanted) | Wanted::Exercise(wanted)) = wanted;
    let names = exercises.iter().map(|exercise| exercise.name.clone());
    let paths = exercises.iter().flat_map(|exercise| {
        exercise.steps.iter().map(move |(step, _)| exercise.path(step))
    });
    let exact = exercises.iter().find(|exercise| exercise.name == *wanted);
    if let Some(exercise) = exact {
        return match exercise.steps {
            [] => format!("{wanted} has no checks yet."),
            _ => format!("{wanted} is an exercise, and no step: leave out --exact."),
        };
    }
    let advice = match text::nearest(wanted, names.chain(paths)) {
        Some(near) => format!("Did you mean {near}?"),
        None => "cargo test -p exercises -- --list lists all names.".into(),
    };
    format!("No exercise and no step is called {wanted:?}. {advice}")
}
