//! The sockets that send people the progress of their tasks, and receive what to cancel.

use axum::{
    extract::{State, ws::Message},
    response::Response,
};
use serde::Deserialize;

use super::{
    progress::{Progress, TaskEvent},
    task_list::{TaskId, Tasks, UserTasks},
};
use crate::{
    session::{Activity, Disconnect, Session, SessionUpgrade, json::parse},
    telemetry::Socket,
};

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TaskRequest {
    Cancel { id: TaskId },
    Ping,
}

pub async fn ws_handler(upgrade: SessionUpgrade, State(tasks): State<Tasks>) -> Response {
    let kind = Socket::Tasks;
    upgrade.on_upgrade(kind, Activity::Traffic, async move |mut session: Session| {
        let tasks = tasks.of(&session.username);
        let disconnect = run(&mut session, &tasks).await;
        session.close(&disconnect).await; // The tasks go on without it.
    })
}

/// Sends the state of the tasks, and handles what the client sends, until the connection
/// ends.
async fn run(session: &mut Session, tasks: &UserTasks) -> Disconnect {
    let mut progress = Progress::of(tasks);
    // The state comes first, even if the client has already sent something.
    for event in progress.catch_up() {
        if let Err(disconnect) = session.send_json(&event).await {
            return disconnect;
        }
    }

    loop {
        let received = match session.recv(&mut progress).await {
            Ok(Message::Text(text)) => parse(&text, "type"),
            Ok(_) => Err("this server reads text, not binary".into()),
            Err(disconnect) => return disconnect,
        };
        let Some(reply) = handle_message(tasks, received) else { continue };
        if let Err(disconnect) = session.send_json(&reply).await {
            return disconnect;
        }
    }
}

/// Does what the client asks for, or answers why not. What changes is progress.
fn handle_message(
    tasks: &UserTasks,
    received: Result<TaskRequest, String>,
) -> Option<TaskEvent> {
    let message = match received {
        Ok(TaskRequest::Ping) => return Some(TaskEvent::Pong),
        Ok(TaskRequest::Cancel { id }) => match tasks.cancel(id) {
            Ok(()) => return None,
            Err(error) => error.sentence(id),
        },
        Err(message) => message,
    };
    Some(TaskEvent::Error { message })
}
