//! The tasks: who has started what, and how far it has got.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::word_count::WordCount;
use crate::names::Username;

/// How many tasks we work on at a time. The others wait for their turn.
pub const AT_ONCE: usize = 2;

/// How many tasks of one person may wait or run. The next one is refused.
pub const PER_PERSON: usize = 5;

/// How many tasks may wait or run in all. The next one is refused.
pub const IN_ALL: usize = 12;

/// How many tasks of one person we remember that have ended. Then we forget the oldest.
pub const REMEMBERED: usize = 10;

/// The number of a task. Each person begins with 1, so nobody can name the task of
/// somebody else.
pub type TaskId = u64;

/// The tasks of everybody. All clones share them.
#[derive(Clone)]
pub struct Tasks {
    /// At most one entry for each account, because a token alone is not enough to get here
    /// (`CurrentUser`). An entry remains for good, and takes 30 KB at most.
    by_user: Arc<Mutex<HashMap<Username, UserTasks>>>,
    /// How many may wait or run in all.
    permits: Arc<Semaphore>,
    /// Permits for those that run.
    running: Arc<Semaphore>,
}

/// The tasks of one person. All clones share them.
#[derive(Clone, Default)]
pub struct UserTasks {
    tasks: watch::Sender<TaskList>,
}

/// The tasks of one person, and the state of each.
#[derive(Default)]
pub struct TaskList {
    last_id: TaskId,
    tasks: BTreeMap<TaskId, (Status, CancellationToken)>,
    /// Those that have ended, in the order in which they did.
    ended: VecDeque<TaskId>,
}

/// One task, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    pub id: TaskId,
    #[serde(flatten)]
    pub status: Status,
}

/// How far a task has got.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    Queued,
    Running {
        percent: u8,
        /// Nobody can tell at first.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds_left: Option<f64>,
    },
    Finished {
        result: WordCount,
    },
    Cancelled,
    Failed {
        message: &'static str,
    },
}

/// Why a task cannot be started.
#[derive(Debug, PartialEq)]
pub enum TaskLimit {
    OfUser,
    InAll,
}

/// Why nothing can be done about a task.
#[derive(Debug, PartialEq)]
pub enum TaskError {
    Unknown,
    Ended,
}

/// A task, as its worker sees it. It counts as unfinished until this is dropped.
pub struct TaskHandle {
    id: TaskId,
    tasks: UserTasks,
    running: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
    pub cancelled: CancellationToken,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            by_user: Arc::default(),
            permits: Arc::new(Semaphore::new(IN_ALL)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Tasks {
    pub fn of(&self, owner: &Username) -> UserTasks {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.entry(owner.clone()).or_default().clone()
    }

    /// Of how many people there are tasks, or once were.
    #[cfg(test)]
    pub fn users(&self) -> usize {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Adds a task of this person, which waits for its turn.
    pub fn add(&self, owner: &Username) -> Result<(Task, TaskHandle), TaskLimit> {
        let permit = self.permits.clone().try_acquire_owned();
        let _permit = permit.map_err(|_| TaskLimit::InAll)?;
        let tasks = self.of(owner);
        let (id, cancelled) = tasks.add().ok_or(TaskLimit::OfUser)?;

        let running = self.running.clone();
        let handle = TaskHandle { id, tasks, running, _permit, cancelled };
        Ok((Task { id, status: Status::Queued }, handle))
    }
}

impl UserTasks {
    /// Adds a task, or nothing if this person has enough of them.
    fn add(&self) -> Option<(TaskId, CancellationToken)> {
        let mut added = None;
        self.tasks.send_if_modified(|list| {
            let open = list.tasks.values().filter(|(status, _)| !status.has_ended());
            if open.count() < PER_PERSON {
                let cancelled = CancellationToken::new();
                list.last_id += 1;
                list.tasks.insert(list.last_id, (Status::Queued, cancelled.clone()));
                added = Some((list.last_id, cancelled));
            }
            added.is_some()
        });
        added
    }

    /// Cancels a task. To do it twice is no mistake.
    pub fn cancel(&self, id: TaskId) -> Result<(), TaskError> {
        let mut result = Ok(());
        self.tasks.send_if_modified(|list| {
            result = match list.tasks.get(&id) {
                Some((Status::Cancelled, _)) => Ok(()),
                Some((status, _)) if status.has_ended() => Err(TaskError::Ended),
                Some((_, cancelled)) => {
                    cancelled.cancel();
                    return list.set(id, Status::Cancelled);
                }
                None => Err(TaskError::Unknown),
            };
            false
        });
        result
    }

    pub fn get(&self, id: TaskId) -> Option<Task> {
        self.tasks.borrow().iter().find(|task| task.id == id)
    }

    pub fn list(&self) -> Vec<Task> {
        self.tasks.borrow().iter().collect()
    }

    /// A receiver that is notified whenever a task has changed.
    pub fn subscribe(&self) -> watch::Receiver<TaskList> {
        self.tasks.subscribe()
    }
}

impl TaskList {
    /// All tasks, in the order in which they were started.
    pub fn iter(&self) -> impl Iterator<Item = Task> {
        self.tasks.iter().map(|(&id, (status, _))| Task { id, status: status.clone() })
    }

    /// Changes a task, unless it has ended. Whether there was a change.
    fn set(&mut self, id: TaskId, new: Status) -> bool {
        let open = self.tasks.get_mut(&id).filter(|(status, _)| !status.has_ended());
        let Some((status, _)) = open else { return false };
        *status = new;

        if status.has_ended() {
            self.ended.push_back(id);
            if self.ended.len() > REMEMBERED {
                self.ended.pop_front().map(|oldest| self.tasks.remove(&oldest));
            }
        }
        true
    }
}

impl TaskError {
    /// A sentence for the person who wanted something of it.
    pub fn sentence(&self, id: TaskId) -> String {
        match self {
            Self::Unknown => format!("you have no task {id}"),
            Self::Ended => format!("task {id} has ended already"),
        }
    }
}

impl TaskHandle {
    /// Waits for a permit to run: the first who came gets the first one. `None` if the task
    /// was cancelled.
    pub async fn permit_to_run(&self) -> Option<OwnedSemaphorePermit> {
        let permit = self.running.clone().acquire_owned();
        let permit = self.cancelled.run_until_cancelled(permit).await?;
        Some(permit.expect("nobody closes the semaphore"))
    }

    /// Publishes how far the task has got, unless it was cancelled.
    pub fn report(&self, status: Status) {
        self.tasks.tasks.send_if_modified(|list| list.set(self.id, status));
    }
}

impl Status {
    /// Work of which a share is done, after a while.
    ///
    /// The rest is expected to go on at the same rate.
    pub fn running(done: f64, so_far: Duration) -> Self {
        let seconds_left = (done > 0.0).then(|| {
            let left = so_far.as_secs_f64() / done * (1.0 - done);
            (left * 10.0).round() / 10.0
        });
        Self::Running { percent: (done * 100.0) as u8, seconds_left }
    }

    pub fn failed() -> Self {
        Self::Failed { message: "the work broke off, and that is our fault" }
    }

    fn has_ended(&self) -> bool {
        !matches!(self, Self::Queued | Self::Running { .. })
    }
}
