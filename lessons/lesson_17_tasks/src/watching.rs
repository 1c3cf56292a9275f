//! One watcher: it hears how its tasks stand, and can cancel them.

use std::collections::BTreeMap;

use axum::{
    extract::{
        State,
        ws::{Message, WebSocketUpgrade},
    },
    response::Response,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    Chat,
    door::{Full, open_line},
    guards::{Guest, OwnPage},
    line::Line,
    outbox::{Source, Waiting},
    protocol::{encode, read},
    socket::Ending,
    tasks::{Board, Status, Task, TaskId, TaskList},
};

/// What a watcher may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromWatcher {
    Cancel { id: TaskId },
    Ping,
}

/// What we say to watchers.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToWatcher {
    /// All tasks, as they stand. This comes first.
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

impl From<Task> for ToWatcher {
    fn from(task: Task) -> Self {
        match task.status {
            Status::Queued | Status::Running { .. } => Self::Progress(task),
            Status::Finished { .. } => Self::Finished(task),
            Status::Cancelled => Self::Cancelled(task),
            Status::Failed { .. } => Self::Failed(task),
        }
    }
}

/// What has changed for one watcher.
///
/// Why no outbox? How far a task has got is a state, and not a history: to somebody who
/// was away, the last word is worth more than all the words before it. So nothing waits
/// for a slow watcher. When its line has room, we compare what it was told with what is
/// true now.
struct News {
    list: watch::Receiver<TaskList>,
    /// Nothing at first.
    told: Option<BTreeMap<TaskId, Status>>,
}

impl News {
    fn of(board: &Board) -> Self {
        Self { list: board.watch(), told: None }
    }

    /// What the watcher has to be told, to know all.
    fn catch_up(&mut self) -> Vec<ToWatcher> {
        let now: Vec<Task> = self.list.borrow_and_update().iter().collect();
        let known = now.iter().map(|task| (task.id, task.status.clone())).collect();
        let Some(told) = self.told.replace(known) else {
            return vec![ToWatcher::Tasks { tasks: now }];
        };

        let forgotten = told.keys().filter(|id| now.iter().all(|task| task.id != **id));
        let forgotten: Vec<_> =
            forgotten.map(|&id| ToWatcher::Forgotten { id }).collect();
        let changed =
            now.into_iter().filter(|task| told.get(&task.id) != Some(&task.status));
        forgotten.into_iter().chain(changed.map(ToWatcher::from)).collect()
    }
}

impl Source for News {
    async fn take(&mut self) -> Option<Waiting> {
        self.list.changed().await.ok()?;
        Some(self.take_now())
    }

    fn take_now(&mut self) -> Waiting {
        Waiting { missed: 0, messages: self.catch_up().iter().map(encode).collect() }
    }
}

pub async fn open_watch(
    _: OwnPage,
    guest: Guest,
    State(chat): State<Chat>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Full> {
    open_line(upgrade, chat, guest, |line, chat, username| {
        serve_watcher(line.for_a_listener(), chat.tasks.of(&username))
    })
}

/// Tells one watcher how its tasks stand, for as long as it listens. The tasks go on
/// without it.
async fn serve_watcher(mut line: Line, board: Board) {
    let ending = converse(&mut line, &board).await;

    line.part(ending).await;
}

/// Answers what the watcher says, until one of the two ends the conversation.
async fn converse(line: &mut Line, board: &Board) -> Ending {
    let mut news = News::of(board);
    // The state comes first, even if the watcher has already said something.
    let state = news.take_now().messages;
    if let Err(ending) = line.say(state.into_iter().map(Message::Text)).await {
        return ending;
    }

    loop {
        let heard = match line.hear(&mut news).await {
            Ok(Message::Text(text)) => read(&text, "type"),
            Ok(_) => Err("this server reads text, not binary".into()),
            Err(ending) => return ending,
        };
        let Some(reply) = answer(board, heard) else { continue };
        if let Err(ending) = line.say([Message::Text(encode(&reply))]).await {
            return ending;
        }
    }
}

/// Does what the watcher asks for, or tells it why not. What changes is news.
fn answer(board: &Board, heard: Result<FromWatcher, String>) -> Option<ToWatcher> {
    let message = match heard {
        Ok(FromWatcher::Ping) => return Some(ToWatcher::Pong),
        Ok(FromWatcher::Cancel { id }) => match board.cancel(id) {
            Ok(()) => return None,
            Err(refused) => refused.sentence(id),
        },
        Err(message) => message,
    };
    Some(ToWatcher::Error { message })
}
