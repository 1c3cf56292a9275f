//! The worker: it runs a task beside the async threads, until it ends or is cancelled.

use std::time::Duration;

use tokio::{
    spawn,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    task_list::{Status, Task, TaskHandle, TaskLimit, Tasks},
    word_count::WordCount,
    work::{Step, Work},
};
use crate::names::Username;

/// Starts a task of this person, and takes no less than `duration` for it.
///
/// It runs by itself, whoever is connected.
pub fn start(
    tasks: &Tasks,
    owner: &Username,
    work: impl Work<Output = WordCount>,
    duration: Duration,
) -> Result<Task, TaskLimit> {
    let (task, handle) = tasks.add(owner)?;
    spawn(run(work, duration, handle));
    Ok(task)
}

/// Waits until it may run, and works until the end, or until it is cancelled.
///
/// `duration` is added to the work, so that there is some progress to see.
async fn run(
    mut work: impl Work<Output = WordCount>,
    duration: Duration,
    handle: TaskHandle,
) {
    let Some(_permit) = handle.permit_to_run().await else { return };
    let start = Instant::now();

    loop {
        let before = work.done();
        handle.report(Status::running(before, start.elapsed()));

        // Why not call `step` here? This thread has sockets to handle. Blocking code
        // cannot be cancelled from outside, so we look at the handle between the steps.
        let step = match spawn_blocking(|| work.step()).await {
            Ok(step) => step,
            Err(_) => return handle.report(Status::failed()), // It panicked.
        };
        let after = if let Step::More(work) = &step { work.done() } else { 1.0 };

        let pause = sleep(duration.mul_f64((after - before).max(0.0)));
        if handle.cancelled.run_until_cancelled(pause).await.is_none() {
            return;
        }
        match step {
            Step::More(rest) => work = rest,
            Step::Done(result) => return handle.report(Status::Finished { result }),
        }
    }
}
