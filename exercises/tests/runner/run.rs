//! Runs checks: several exercises at the same time, the steps of each one after another.

use std::{
    fs,
    panic::{self, PanicHookInfo},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use probe::{Check, WATCHED_THREAD};

use super::{Exercise, Step, arguments::Selected};

/// How long a check may take, in real time. Most need some milliseconds. On Linux, it does
/// not count how long a check waits for a processor that others use.
const LIMIT: Duration = Duration::from_secs(10);

/// How long we wait on a machine that has too much to do.
const LONGEST: Duration = Duration::from_secs(60);

/// How often we look whether a check has ended for good.
const TICK: Duration = Duration::from_millis(50);

/// What has panicked until now, and has not been reported yet.
static PANICS: Mutex<Vec<Panic>> = Mutex::new(Vec::new());

struct Panic {
    /// The path of the check.
    path: String,
    place: String,
    words: String,
}

/// What Rust says before it ends the whole process: a `Drop` panicked while its thread was
/// cleaning up after a panic.
const SECOND_PANIC: &str = "panic in a destructor during cleanup";

/// Why a step failed.
pub struct Fault {
    pub remark: String,
    /// The file to look at.
    pub open: String,
}

/// What came of one exercise, as far as its steps were asked for.
pub struct Report<'a> {
    pub exercise: &'a Exercise,
    pub passed: Vec<&'static str>,
    /// In the order of the steps.
    pub failed: Vec<(&'static str, Fault)>,
}

pub enum Event<'a> {
    Started { path: &'a str },
    Passed { path: &'a str, time: Duration },
    Failed { path: &'a str, time: Duration, fault: &'a Fault },
}

/// Runs all that is selected, and calls `listener` as it happens.
pub fn all<'a>(
    selected: &[Selected<'a>],
    threads: usize,
    listener: &(dyn Fn(&Event) + Sync),
) -> Vec<Report<'a>> {
    note_panics();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut reports = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((exercise, steps)) = selected.get(index) else { return reports };
            reports.push((index, run_exercise(exercise, steps, listener)));
        }
    };

    let mut reports = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.min(selected.len())).map(|_| scope.spawn(work)).collect();
        let reports = workers.into_iter().map(|worker| worker.join());
        reports.flat_map(|reports| reports.expect("no worker panics")).collect::<Vec<_>>()
    });
    reports.sort_by_key(|(index, _)| *index);
    reports.into_iter().map(|(_, report)| report).collect()
}

fn run_exercise<'a>(
    exercise: &'a Exercise,
    steps: &[&Step],
    listener: &(dyn Fn(&Event) + Sync),
) -> Report<'a> {
    let mut report = Report { exercise, passed: Vec::new(), failed: Vec::new() };
    let mut stuck: Option<&str> = None;

    for &&(step, check) in steps {
        let path = exercise.path(step);
        let path = path.as_str();
        let start = Instant::now();
        listener(&Event::Started { path });
        let outcome = match stuck {
            // It would do the same, and take as long.
            Some(stuck) => Outcome::Failed(format!(
                "This check was not started, because your code did not come back in {stuck}."
            )),
            None => run(path, check),
        };
        let time = start.elapsed();
        let (remark, open) = match outcome {
            Outcome::Passed => {
                listener(&Event::Passed { path, time });
                report.passed.push(step);
                continue;
            }
            Outcome::Failed(remark) => (remark, None),
            Outcome::Panicked { remark, file } => (remark, file),
            Outcome::Stuck => {
                stuck = Some(step);
                (never_came_back(), None)
            }
        };
        let fault = Fault { remark, open: open.unwrap_or_else(|| exercise.file.clone()) };
        listener(&Event::Failed { path, time, fault: &fault });
        report.failed.push((step, fault));
    }
    report
}

enum Outcome {
    Passed,
    /// The check has found something.
    Failed(String),
    /// The file, if it is one of the learner's.
    Panicked {
        remark: String,
        file: Option<String>,
    },
    /// The check did not end.
    Stuck,
}

fn never_came_back() -> String {
    format!(
        "Your code did not come back within {} s. It turns in a loop, or it keeps its thread \
         waiting. Look for a loop without an end, for a lock that is taken by who has it already, \
         and for a future that is ready each time it is asked.",
        LIMIT.as_secs()
    )
}

/// Runs one step, in a thread of its own: it may panic, or never come back.
fn run(path: &str, check: fn() -> Check) -> Outcome {
    let (sender, result) = mpsc::channel();
    let thread = thread::Builder::new().name(format!("{WATCHED_THREAD}{path}"));
    let task = Arc::new(OnceLock::new());
    let own_task = task.clone();
    let started = thread.spawn(move || {
        own_task.get_or_init(|| fs::read_link("/proc/thread-self").ok());
        sender.send(check())
    });
    if let Err(error) = started {
        return Outcome::Failed(format!("No thread could be started: {error}."));
    }

    let start = Instant::now();
    let result = loop {
        let elapsed = start.elapsed();
        let left =
            (LIMIT + without_processor(&task)).min(LONGEST).saturating_sub(elapsed);
        match result.recv_timeout(left.min(TICK)) {
            Err(RecvTimeoutError::Timeout) if has_stopped(path) => {
                break Err(RecvTimeoutError::Disconnected);
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Outcome::Stuck,
            Err(RecvTimeoutError::Timeout) => {} // Perhaps there is more time by now.
            other => break other,
        }
    };
    let hint = match result {
        Ok(Ok(())) => None,
        Ok(Err(hint)) => Some(hint.to_string()),
        Err(_) => Some("The check ended in a panic.".into()),
    };
    match (take_panic(path), hint) {
        (None, None) => Outcome::Passed,
        (None, Some(hint)) => Outcome::Failed(hint),
        (Some(panic), hint) => {
            let file = panic.place.split(':').next().unwrap_or_default().to_owned();
            let is_learners = file.starts_with("exercises/src/");
            let whose =
                if is_learners { "Your code" } else { "A function that is called" };
            let mut remark =
                format!("{whose} panics at {}: {}", panic.place, panic.words);
            if let Some(hint) = hint {
                remark.push_str(&format!("\n\n{hint}"));
            }
            Outcome::Panicked { remark, file: is_learners.then_some(file) }
        }
    }
}

/// How long a thread could have run and did not, because all processors were busy.
///
/// Only Linux tells, as the second number of `schedstat`.
fn without_processor(task: &OnceLock<Option<PathBuf>>) -> Duration {
    let task = task.get().and_then(Option::as_deref);
    let numbers = task.map(|task| Path::new("/proc").join(task).join("schedstat"));
    let numbers = numbers.and_then(|file| fs::read_to_string(file).ok());
    let nanoseconds =
        numbers.as_deref().and_then(|n| n.split_whitespace().nth(1)?.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// Keeps the panic of a check to one line, whatever RUST_BACKTRACE says. The checks run at
/// the same time, so it is the thread that says whose panic it is.
fn note_panics() {
    // A thread that is parked in the hook would let nobody replace it.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let otherwise = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            match thread.name().and_then(|name| name.strip_prefix(WATCHED_THREAD)) {
                Some(path) => note_panic(path, info),
                None => return otherwise(info),
            }
            // The process would end now, and with it the other checks. They need not wait
            // for this thread.
            while info.payload_as_str() == Some(SECOND_PANIC) {
                thread::park();
            }
        }));
    });
}

/// Whether the thread of a check is parked for good.
fn has_stopped(path: &str) -> bool {
    panics().iter().any(|panic| panic.path == path && panic.words == SECOND_PANIC)
}

fn note_panic(path: &str, info: &PanicHookInfo) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    panics().push(Panic {
        path: path.to_owned(),
        place: place.replace('\\', "/"),
        words: info.payload_as_str().unwrap_or_default().to_owned(),
    });
}

/// The first panic in the check with this path.
fn take_panic(path: &str) -> Option<Panic> {
    panics().extract_if(.., |panic| panic.path == path).next()
}

fn panics() -> MutexGuard<'static, Vec<Panic>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}
