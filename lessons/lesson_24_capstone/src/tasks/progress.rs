//! Progress: what has changed since a subscriber was last sent something.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::watch;

use super::task_list::{Status, Task, TaskId, TaskList, UserTasks};
use crate::session::{
    Disconnect,
    json::encode,
    outbox::{Batch, Outgoing},
};

/// What the server sends to a subscriber.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TaskEvent {
    /// All tasks, and the state of each. This comes first.
    Tasks {
        tasks: Vec<Task>,
    },
    Progress(Task),
    Finished(Task),
    Cancelled(Task),
    Failed(Task),
    /// The task ended long ago, and is no longer there.
    Forgotten {
        id: TaskId,
    },
    Pong,
    Error {
        message: String,
    },
}

impl From<Task> for TaskEvent {
    fn from(task: Task) -> Self {
        match task.status {
            Status::Queued | Status::Running { .. } => Self::Progress(task),
            Status::Finished { .. } => Self::Finished(task),
            Status::Cancelled => Self::Cancelled(task),
            Status::Failed { .. } => Self::Failed(task),
        }
    }
}

/// What has changed for one subscriber.
///
/// Why no outbox? The progress of a task is a state, and not a history: to somebody who was
/// away, the latest state is worth more than all those before it. So nothing waits for a
/// slow subscriber. When its socket has room, we compare what it was sent with the state
/// of now.
pub struct Progress {
    tasks: watch::Receiver<TaskList>,
    /// `None` at first.
    sent: Option<BTreeMap<TaskId, Status>>,
}

impl Progress {
    pub fn of(tasks: &UserTasks) -> Self {
        Self { tasks: tasks.subscribe(), sent: None }
    }

    /// What the subscriber has to be sent, to be up to date.
    pub fn catch_up(&mut self) -> Vec<TaskEvent> {
        let now: Vec<Task> = self.tasks.borrow_and_update().iter().collect();
        let statuses = now.iter().map(|task| (task.id, task.status.clone())).collect();
        let Some(sent) = self.sent.replace(statuses) else {
            return vec![TaskEvent::Tasks { tasks: now }];
        };

        let is_gone = |id: &&TaskId| now.iter().all(|task| task.id != **id);
        let forgotten =
            sent.keys().filter(is_gone).map(|&id| TaskEvent::Forgotten { id });
        let mut events: Vec<_> = forgotten.collect();
        let changed =
            now.into_iter().filter(|task| sent.get(&task.id) != Some(&task.status));
        events.extend(changed.map(TaskEvent::from));
        events
    }
}

impl Outgoing for Progress {
    async fn recv(&mut self) -> Result<Batch, Disconnect> {
        self.tasks.changed().await.map_err(|_| Disconnect::TOO_SLOW)?;
        Ok(self.drain())
    }

    fn drain(&mut self) -> Batch {
        self.catch_up().iter().map(encode).collect()
    }
}
