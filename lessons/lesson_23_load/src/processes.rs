//! Several processes, each with a part of the rooms.
//!
//! Why several? A process may have only so many open files, and a thread only so much time.

use std::{
    collections::VecDeque,
    env,
    io::{self, IsTerminal, Write, stderr, stdin, stdout},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::{runtime, time::sleep};

use crate::{
    connect::{Person, open, people},
    options::Options,
    report::Report,
    run::{Run, TICK},
};

/// Says to a process which worker it is, from 0. One without it is the first, and starts others.
const WORKER: &str = "LOAD_WORKER";

/// How many characters the bar has.
const BAR: usize = 20;

/// Generates, in as many processes as the options say, and returns what all have measured. A
/// process that another one has started prints what it has measured, and returns nothing.
///
/// The error is a sentence for the person who started the program.
pub fn run(options: &Options) -> Result<Option<Report>, String> {
    let failed = |error: io::Error| format!("Another process: {error}.");
    if let Some(worker) = env::var(WORKER).ok().and_then(|worker| worker.parse().ok()) {
        let people = serde_json::from_reader(stdin().lock());
        let report =
            run_worker(options, people.map_err(|it| failed(it.into()))?, worker)?;
        let printed = serde_json::to_writer(stdout(), &report);
        return printed.map(|()| None).map_err(|it| failed(it.into()));
    }
    let people = people(options)?;
    if options.processes == 1 {
        return run_worker(options, people, 0).map(Some);
    }
    let workers = (0..options.processes).map(|worker| start(worker, &people));
    let mut workers: VecDeque<Child> =
        workers.collect::<Result<_, _>>().map_err(failed)?;
    let mut report = Report::default();
    while let Some(worker) = workers.pop_front() {
        let output = worker.wait_with_output().map_err(failed)?;
        match serde_json::from_slice(&output.stdout) {
            Ok(own) => report.merge(&own),
            Err(_) => {
                workers.iter_mut().for_each(|other| drop(other.kill())); // Or it has ended.
                return Err(format!("A process has ended: {}.", output.status));
            }
        }
    }
    Ok(Some(report))
}

/// Starts a process with our own options. Its people have signed in already.
fn start(worker: usize, people: &[Person]) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.args(env::args().skip(1)).env(WORKER, worker.to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let input = child.stdin.take(); // It ends with this function.
    write!(input.expect("it is piped"), "{}", serde_json::to_string(people)?)?;
    Ok(child)
}

fn run_worker(
    options: &Options,
    people: Vec<Person>,
    worker: usize,
) -> Result<Report, String> {
    // Each connection is an open file, and the usual limit is 1,024 of them.
    let _ = rlimit::increase_nofile_limit(u64::MAX); // Or it stays as it is.
    // One thread: for more, there are processes.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let run = Run::new(options.clone(), people, open(options)?);
    runtime.map_err(|error| error.to_string())?.block_on(async {
        if worker == 0 && stderr().is_terminal() {
            tokio::spawn(show_progress(run.clone()));
        }
        run.generate((worker..options.rooms).step_by(options.processes)).await
    })
}

/// Draws a bar, over one line again and again. With several processes it is that of the first.
async fn show_progress(run: Arc<Run>) {
    while run.over.get().is_none() {
        let (second, length) =
            (run.second(run.now()), run.options.plan().length() as usize);
        let bar = "#".repeat(BAR * second.unwrap_or(0).min(length) / length);
        let (connected, deliveries) =
            (run.connected.load(Relaxed), run.report().deliveries().0);
        eprint!(
            "\r[{bar:.<BAR$}] {connected} connections, {deliveries} deliveries\x1b[K"
        );
        sleep(TICK).await;
    }
    eprint!("\r\x1b[K");
}
