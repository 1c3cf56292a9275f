// Runs the checks, and says at the end how far you are.
//
//   cargo test -p exercises                             all of them
//   cargo test -p exercises -- typing_indicator         those of one exercise
//   cargo test -p exercises -- typing_indicator::step_3 one alone
//
// The checks themselves are in the other files of this folder, an `async fn` each.

mod copied_chat;
mod drain;
mod idle_session;
mod message_history;
mod online_users;
mod private_messaging;
mod private_room;
mod rate_limit;
mod resume;
mod slow_client;
mod typing_indicator;
mod warm_ups;

use std::{
    env,
    panic::{self, PanicHookInfo},
    process::ExitCode,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use probe::Check;

/// How long a check may take, in real time. It needs some milliseconds, but a machine
/// that has much to do may hold it up for seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// What has panicked since the check began: where, and with which words.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

type Step = (&'static str, fn() -> Check);

struct Exercise {
    /// The name of its file, here and in `src`.
    name: &'static str,
    title: &'static str,
    steps: &'static [Step],
}

impl Exercise {
    const fn new(
        name: &'static str,
        title: &'static str,
        steps: &'static [Step],
    ) -> Self {
        Self { name, title, steps }
    }
}

const EXERCISES: [Exercise; 19] = [
    Exercise::new("warm_up_01", "capitals and counts", warm_ups::warm_up_01::STEPS),
    Exercise::new("warm_up_02", "how they left", warm_ups::warm_up_02::STEPS),
    Exercise::new("warm_up_03", "a greeting with a number", warm_ups::warm_up_03::STEPS),
    Exercise::new("warm_up_04", "a typed second parameter", warm_ups::warm_up_04::STEPS),
    Exercise::new("warm_up_05", "a header and a default", warm_ups::warm_up_05::STEPS),
    Exercise::new("warm_up_06", "a message of your own", warm_ups::warm_up_06::STEPS),
    Exercise::new("warm_up_07", "a topic, and ten members", warm_ups::warm_up_07::STEPS),
    Exercise::new("warm_up_08", "an origin and a cookie", warm_ups::warm_up_08::STEPS),
    Exercise::new("private_messaging", "private messages", private_messaging::STEPS),
    Exercise::new("typing_indicator", "who is typing", typing_indicator::STEPS),
    Exercise::new("online_users", "who is online", online_users::STEPS),
    Exercise::new("message_history", "message history", message_history::STEPS),
    Exercise::new("copied_chat", "repair the copied chat", copied_chat::STEPS),
    Exercise::new("rate_limit", "a rate limit", rate_limit::STEPS),
    Exercise::new("resume", "back without a gap", resume::STEPS),
    Exercise::new("private_room", "a private room", private_room::STEPS),
    Exercise::new("idle_session", "an idle session", idle_session::STEPS),
    Exercise::new("slow_client", "a slow client", slow_client::STEPS),
    Exercise::new("drain", "a stop that drains", drain::STEPS),
];

/// What came of one exercise, as far as its steps were asked for.
struct Report {
    number: usize,
    exercise: &'static Exercise,
    passed: usize,
    /// The first step that failed.
    next: Option<&'static str>,
}

fn main() -> ExitCode {
    // The flags are those of Rust's own test runner. None of them matters here.
    let wanted: Vec<_> =
        env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    panic::set_hook(Box::new(note_panic));

    let mut reports = Vec::new();
    for (number, exercise) in (1..).zip(&EXERCISES) {
        let is_wanted = |step: &str| {
            let path = format!("{}::{step}", exercise.name);
            wanted.is_empty() || wanted.iter().any(|part| path.contains(part))
        };
        let steps: Vec<_> =
            exercise.steps.iter().filter(|(step, _)| is_wanted(step)).collect();
        if !steps.is_empty() {
            reports.push(run_exercise(number, exercise, &steps));
        }
    }
    sum_up(&reports);

    if reports.iter().all(|report| report.next.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101) // Rust's own test runner uses it, too.
    }
}

/// Runs steps of an exercise, and has a remark on the first that fails.
fn run_exercise(number: usize, exercise: &'static Exercise, steps: &[&Step]) -> Report {
    let Exercise { name, title, .. } = exercise;
    let mut report = Report { number, exercise, passed: 0, next: None };
    let mut remark = String::new();
    let mut stuck = false;

    println!("\nExercise {number}: {title}\n");
    for (step, check) in steps {
        let outcome = if stuck { Err(Fault::Stuck) } else { run(step, *check) };
        let Err(fault) = outcome else {
            println!("  ok      {step}");
            report.passed += 1;
            continue;
        };
        println!("  FAILED  {step}");
        stuck |= matches!(fault, Fault::Stuck);
        if report.next.is_none() {
            report.next = Some(step);
            remark = fault.remark();
        }
    }

    if let Some(step) = report.next {
        println!("\n  {step}");
        for line in remark.trim_end().lines() {
            println!("{}", format!("    {line}").trim_end());
        }
        println!("\n    Open  exercises/src/{name}.rs");
        println!("    Read  the chapter \"Exercise {number}: {title}\"");
    }
    report
}

/// Why a step failed.
enum Fault {
    /// The check has found something, and perhaps there was a panic.
    Found(String),
    /// It turns in a loop. The steps that follow would do the same.
    Stuck,
}

impl Fault {
    fn remark(self) -> String {
        match self {
            Self::Found(sentence) => sentence,
            Self::Stuck => format!(
                "Your code did not come back within {} s. It turns in a loop, or it keeps \
                 its thread waiting. Look for a loop without an end, and for a future that \
                 is ready each time it is asked.",
                LIMIT.as_secs()
            ),
        }
    }
}

/// Runs one step, in a thread of its own: it may panic, or never come back.
fn run(step: &'static str, check: fn() -> Check) -> Result<(), Fault> {
    panics().clear();
    let (sender, result) = mpsc::channel();
    let thread = thread::Builder::new().name(step.into());
    let started = thread.spawn(move || sender.send(check()));
    if let Err(error) = started {
        return Err(Fault::Found(format!("No thread could be started: {error}.")));
    }

    let hint = match result.recv_timeout(LIMIT) {
        Ok(Ok(())) => None,
        Ok(Err(hint)) => Some(hint.to_string()),
        Err(RecvTimeoutError::Disconnected) => Some("The check ended in a panic.".into()),
        Err(RecvTimeoutError::Timeout) => return Err(Fault::Stuck),
    };
    match (panics().first(), hint) {
        (None, None) => Ok(()),
        (None, Some(hint)) => Err(Fault::Found(hint)),
        (Some(panic), None) => Err(Fault::Found(panic.clone())),
        (Some(panic), Some(hint)) => Err(Fault::Found(format!("{panic}\n\n{hint}"))),
    }
}

/// Keeps a panic to one line, whatever RUST_BACKTRACE says.
fn note_panic(info: &PanicHookInfo) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let words = info.payload_as_str().unwrap_or_default();
    panics().push(format!("Your code panics at {place}: {words}"));
}

fn panics() -> MutexGuard<'static, Vec<String>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last thing on the screen, and the first to read.
fn sum_up(reports: &[Report]) {
    println!("\nWhere you are\n");
    for Report { number, exercise, passed, next } in reports {
        let total = exercise.steps.len();
        let state = match (*passed, next) {
            (passed, None) if passed == total => "done".into(),
            (0, _) => "not begun".into(),
            (passed, _) => format!("{passed} of {total} steps"),
        };
        println!("  {number}  {:24}{state}", exercise.title);
    }

    let next = reports.iter().find_map(|report| Some((report, report.next?)));
    let sentence = match next {
        Some((Report { number, exercise: Exercise { name, .. }, .. }, step)) => {
            let short: Vec<_> = step.splitn(3, '_').take(2).collect();
            let short = short.join("_");
            format!(
                "Next: exercise {number}, {step}\n  \
                 edit      exercises/src/{name}.rs\n  \
                 run it    cargo test -p exercises -- {name}::{short}\n  \
                 a hint    cargo course hint {name}"
            )
        }
        None if reports.is_empty() => "No step has such a name.".into(),
        None if reports.len() < EXERCISES.len() => "All of these pass.".into(),
        None => "All is done. Now compare with solutions/src.".into(),
    };
    println!("\n{sentence}\n");
}
