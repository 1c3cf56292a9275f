//! The worker: it runs a task beside the async threads, until it ends or is cancelled.

use lesson_08_auth::Username;
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    api::TaskError,
    task_list::{Progress, Task, TaskState, Tasks, UserTasks},
    word_count::WordCount,
};

/// A task, as the work on it sees it.
#[derive(Clone)]
pub struct TaskHandle {
    task: Task,
    list: UserTasks,
    started: Instant,
}

impl TaskHandle {
    /// Whether the work should return. Nobody can interrupt it, so it has to ask.
    pub fn is_cancelled(&self) -> bool {
        self.task.cancelled.is_cancelled()
    }

    /// Publishes how much of the work is done, from 0 to 1.
    pub fn report(&self, done: f64) {
        let state = TaskState::Running(Progress::new(done, self.started.elapsed()));
        self.list.set(self.task.id, state);
    }
}

/// Starts some work for this person. It runs by itself, whoever is connected, and returns
/// `None` when it was cancelled.
pub fn start(
    tasks: &Tasks,
    owner: &Username,
    work: impl FnOnce(&TaskHandle) -> Option<WordCount> + Send + 'static,
) -> Result<Task, TaskError> {
    let (list, running) = (tasks.of(owner), tasks.running.clone());
    let added = list.add(tasks.stopping.child_token())?;

    let task = added.clone();
    tasks.tracker.spawn(async move {
        let permit = task.cancelled.run_until_cancelled(running.acquire_owned());
        let Some(Ok(permit)) = permit.await else { return };

        let handle = TaskHandle { task, list, started: Instant::now() };
        let ours = handle.clone();
        let work = spawn_blocking(move || {
            let _permit = permit; // It lives as long as the work, whoever waits for that.
            work(&ours)
        });
        let state = match work.await {
            Ok(Some(result)) => TaskState::Finished { result },
            Ok(None) => TaskState::Cancelled,
            Err(_) => TaskState::Failed, // The work panicked.
        };
        handle.list.set(handle.task.id, state);
    });
    Ok(added)
}
