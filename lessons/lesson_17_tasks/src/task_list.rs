//! The tasks of everybody, and the state of each.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota};
use lesson_08_auth::Username;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{api::TaskError, word_count::WordCount};

/// How many tasks run at a time. The others wait for a permit.
pub const AT_ONCE: usize = 2;

/// How many tasks one person may have. With one more, the oldest that has ended goes, and if
/// none has, the new one is refused.
pub const PER_PERSON: usize = 10;

/// How many tasks one person may start or cancel at once. Then it is one a second.
pub const BURST: NonZeroU32 = NonZeroU32::new(20).expect("not 0");

/// One task, as its owner sees it.
#[derive(Clone, Serialize)]
pub struct Task {
    /// Each person begins with 1, so nobody can name the task of somebody else.
    pub id: u64,
    #[serde(flatten)]
    state: TaskState,
    #[serde(skip)]
    pub cancelled: CancellationToken,
}

#[derive(Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TaskState {
    Queued,
    Running(Progress),
    Finished { result: WordCount },
    Cancelled,
    Failed,
}

#[derive(Clone, Serialize)]
pub struct Progress {
    percent: u8,
    seconds_left: Option<u64>, // Nobody can tell at first.
}

impl Progress {
    /// A share of the work is done, from 0 to 1, after a while. We expect that the rest
    /// goes on at the same rate.
    pub fn new(done: f64, elapsed: Duration) -> Self {
        let left = elapsed.as_secs_f64() / done * (1.0 - done);
        let seconds_left = (done > 0.0).then_some(left.ceil() as u64);
        Self { percent: (done * 100.0) as u8, seconds_left }
    }
}

/// The tasks of everybody, and how to stop them. All clones share them.
#[derive(Clone)]
pub struct Tasks {
    /// Like `rate`, it has at most one entry for each account.
    by_user: Arc<Mutex<HashMap<Username, UserTasks>>>,
    /// A token bucket for each person (lesson 10).
    rate: Arc<DefaultKeyedRateLimiter<Username>>,
    /// Permits for those that run.
    pub running: Arc<Semaphore>,
    /// Cancelled when the program stops, and every task with it.
    pub stopping: CancellationToken,
    /// Counts what the stop has to wait for.
    pub tracker: TaskTracker,
}

impl Default for Tasks {
    fn default() -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(BURST);
        Self {
            by_user: Arc::default(),
            rate: Arc::new(DefaultKeyedRateLimiter::hashmap(quota)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            stopping: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }
    }
}

impl Tasks {
    pub fn of(&self, owner: &Username) -> UserTasks {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.entry(owner.clone()).or_default().clone()
    }

    pub fn check_rate(&self, username: &Username) -> Result<(), TaskError> {
        self.rate.check_key(username).map_err(|_| TaskError::TooFast)
    }

    /// Cancels all tasks, has all sockets closed, and waits for both until the deadline.
    pub async fn stop(&self, deadline: Duration) {
        self.stopping.cancel();
        self.tracker.close();
        // If it passes, only work that does not ask for its flag keeps the program going.
        let _ = tokio::time::timeout(deadline, self.tracker.wait()).await;
    }
}

/// The tasks of one person, the newest last. All clones share them.
#[derive(Clone, Default)]
pub struct UserTasks(pub watch::Sender<Vec<Task>>);

impl UserTasks {
    pub fn add(&self, cancelled: CancellationToken) -> Result<Task, TaskError> {
        let mut added = Err(TaskError::TooMany);
        self.0.send_if_modified(|tasks| {
            let id = tasks.last().map_or(1, |task| task.id + 1);
            if tasks.len() >= PER_PERSON {
                let Some(oldest) = tasks.iter().position(has_ended) else { return false };
                tasks.remove(oldest);
            }
            let task = Task { id, state: TaskState::Queued, cancelled };
            tasks.push(task.clone());
            added = Ok(task);
            true
        });
        added
    }

    pub fn get(&self, id: u64) -> Result<Task, TaskError> {
        let tasks = self.0.borrow();
        tasks.iter().find(|task| task.id == id).cloned().ok_or(TaskError::Unknown)
    }

    /// Changes the state of a task, unless it has ended.
    pub fn set(&self, id: u64, state: TaskState) {
        self.0.send_if_modified(|tasks| {
            let mut open = tasks.iter_mut().filter(|task| !has_ended(task));
            let task = open.find(|task| task.id == id);
            task.map(|task| task.state = state).is_some()
        });
    }

    pub fn cancel(&self, id: u64) -> Result<(), TaskError> {
        self.get(id)?.cancelled.cancel();
        self.set(id, TaskState::Cancelled);
        match self.get(id)?.state {
            TaskState::Cancelled => Ok(()),
            _ => Err(TaskError::Ended),
        }
    }
}

fn has_ended(task: &Task) -> bool {
    !matches!(task.state, TaskState::Queued | TaskState::Running(_))
}
