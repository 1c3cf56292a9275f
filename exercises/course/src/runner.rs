//! Runs the checks: cargo, and all that it starts.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{
    checks::{Outcome, outcome},
    course::{Course, Error},
    progress::Progress,
    screen,
    syllabus::Entry,
};

/// After so long without a word, a learner wonders whether anything happens.
const PATIENCE: Duration = Duration::from_secs(2);

/// Cargo, as a learner would start it.
///
/// Cargo tells the programs that it runs which package they are. Some build scripts look at
/// these variables, as that of ring does: it would run again now, and once more when the learner
/// types the next command, and what depends on it would be compiled each time.
pub fn cargo() -> Command {
    // Cargo names itself to the programs that it runs.
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The same command that a learner would type, but with lines that a program can read.
pub fn command(course: &Course, entry: Option<&Entry>, colour: bool) -> Command {
    let messages = if colour { "json-diagnostic-rendered-ansi" } else { "json" };
    let mut command = cargo();
    command
        .args(["test", "--quiet", "-p", "exercises", "--test", "checks"])
        .args(["--message-format", messages, "--", "--format", "json"])
        // With the colons: `resume` alone is in the name of a step of another exercise, too.
        .args(entry.map(|entry| format!("{}::", entry.name)))
        .current_dir(&course.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the checks of one exercise, or all, and notes what is solved.
pub fn run(
    course: &Course,
    entry: Option<&Entry>,
    colour: bool,
) -> Result<(Outcome, Progress), Error> {
    let (stdout, stderr) = said(command(course, entry, colour))?;
    let outcome = outcome(&stdout, &stderr);
    let progress = note(course, &outcome);
    Ok((outcome, progress))
}

/// All that cargo prints, on both ways. Whoever waits for long is told why.
pub fn said(mut command: Command) -> Result<(String, String), Error> {
    let child = command.spawn().map_err(no_cargo)?;
    let sentence = "Compiling the checks. That takes a minute or two the first time, \
                    and then seconds.";
    Ok(all_said(child, PATIENCE, || screen::complain(sentence))?)
}

/// Calls `explain` unless the checks begin within `patience`.
pub fn all_said(
    mut child: Child,
    patience: Duration,
    explain: impl FnOnce() + Send + 'static,
) -> io::Result<(String, String)> {
    let stderr = child.stderr.take();
    let errors = thread::spawn(move || all_of(stderr));
    let (begin, begun) = mpsc::channel::<()>();
    let explaining = thread::spawn(move || {
        if begun.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            explain();
        }
    });

    let mut begin = Some(begin);
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut before = 0;
        // What came before an error is all that there is.
        while stdout.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            // Cargo has lines of its own while it compiles, but none with this word.
            if String::from_utf8_lossy(&bytes[before..]).contains("\"suite\"") {
                begin = None;
            }
            before = bytes.len();
        }
    }
    drop(begin); // It is over, though it may not have begun.
    child.wait()?;
    explaining.join().ok(); // A panic there is about the sentence only.
    let stderr = errors.join().unwrap_or_default();
    Ok((String::from_utf8_lossy(&bytes).into_owned(), stderr))
}

/// Where the file cannot be written, the checks are worth as much.
pub fn note(course: &Course, outcome: &Outcome) -> Progress {
    let mut progress = Progress::load(course);
    if let Outcome::Ran { steps, .. } = outcome {
        progress.note(course, steps);
        Progress::update(course, |saved| saved.note(course, steps)).ok();
    }
    progress
}

pub fn no_cargo(error: io::Error) -> Error {
    Error::new(format!("cargo cannot be started: {error}."))
}

/// A run that can be stopped before its end.
pub struct Running {
    child: Child,
}

impl Running {
    /// Calls `done` in a thread of its own when the run is over, stopped or not.
    pub fn start(
        mut command: Command,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let errors = thread::spawn(move || all_of(stderr));
        thread::spawn(move || {
            let stdout = all_of(stdout);
            let stderr = errors.join().unwrap_or_default();
            done(outcome(&stdout, &stderr));
        });
        Ok(Self { child })
    }
}

impl Drop for Running {
    /// Cargo, the compiler and the checks are one group, which ends as one: a compiler
    /// that goes on alone would write where the next one writes.
    fn drop(&mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            // An error means that there is nothing left to stop.
            kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn all_of(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is all that there is.
        pipe.read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_not_told_which_package_we_are() {
        let cargo = cargo();
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
            assert!(env::var_os(name).is_some(), "cargo has told us");
            assert!(
                cargo
                    .get_envs()
                    .any(|(removed, value)| removed == name && value.is_none()),
                "with {name} of ours, ring is compiled anew, and again at the next command"
            );
        }
    }
}
