//! The tasks: who has started what, and how far it has got.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    spawn,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    counting::Count,
    protocol::Username,
    work::{Work, work_on},
};

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

/// The tasks of everybody.
///
/// This is only a handle. Clone it freely: all clones share the same tasks.
#[derive(Clone)]
pub struct Tasks {
    boards: Arc<Mutex<HashMap<Username, Board>>>,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// The tasks of one person, where they can be looked at and watched. Only a handle, too.
#[derive(Clone, Default)]
pub struct Board {
    tasks: watch::Sender<TaskList>,
}

/// The tasks of one person, as they stand.
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
        result: Count,
    },
    Cancelled,
    Failed {
        message: &'static str,
    },
}

/// Why there is no place for another task.
#[derive(Debug, PartialEq)]
pub enum Full {
    ForYou,
    ForAll,
}

/// Why a task stays as it is.
#[derive(Debug, PartialEq)]
pub enum Refused {
    Unknown,
    Ended,
}

/// What the work on a task needs to know of it.
pub struct Ticket {
    id: TaskId,
    board: Board,
    turns: Arc<Semaphore>,
    pub cancelled: CancellationToken,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            boards: Arc::default(),
            places: Arc::new(Semaphore::new(IN_ALL)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Tasks {
    pub fn of(&self, owner: &Username) -> Board {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        boards.entry(owner.clone()).or_default().clone()
    }

    /// Starts a task, and takes no less than `duration` for it.
    pub fn start(
        &self,
        owner: &Username,
        work: impl Work,
        duration: Duration,
    ) -> Result<Task, Full> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Full::ForAll)?;
        let board = self.of(owner);
        let (id, cancelled) = board.add().ok_or(Full::ForYou)?;

        // It runs by itself, whoever listens.
        let ticket = Ticket { id, board, turns: self.turns.clone(), cancelled };
        spawn(work_on(work, duration, ticket, place));
        Ok(Task { id, status: Status::Queued })
    }
}

impl Board {
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
    pub fn cancel(&self, id: TaskId) -> Result<(), Refused> {
        let mut result = Ok(());
        self.tasks.send_if_modified(|list| {
            result = match list.tasks.get(&id) {
                Some((Status::Cancelled, _)) => Ok(()),
                Some((status, _)) if status.has_ended() => Err(Refused::Ended),
                Some((_, cancelled)) => {
                    cancelled.cancel();
                    return list.set(id, Status::Cancelled);
                }
                None => Err(Refused::Unknown),
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

    /// Something that wakes up whenever a task has changed.
    pub fn watch(&self) -> watch::Receiver<TaskList> {
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

impl Refused {
    /// A sentence for the person who wanted something of it.
    pub fn sentence(&self, id: TaskId) -> String {
        match self {
            Self::Unknown => format!("you have no task {id}"),
            Self::Ended => format!("task {id} has ended already"),
        }
    }
}

impl Ticket {
    /// Waits for its turn, which ends when the value is dropped. The first who came is
    /// the first who gets one. `None` if the task was cancelled.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = self.turns.clone().acquire_owned();
        let turn = self.cancelled.run_until_cancelled(turn).await?;
        Some(turn.expect("nobody closes the semaphore"))
    }

    /// Writes on the board how far the task has got, unless it was cancelled.
    pub fn report(&self, status: Status) {
        self.board.tasks.send_if_modified(|list| list.set(self.id, status));
    }
}

impl Status {
    /// Work of which a share is done, after a while.
    ///
    /// The rest will take as long as it did so far.
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
