//! What people ask for over HTTP: to start a task, to look at it, and to cancel it.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use lesson_08_auth::{AllowedOrigin, CurrentUser};
use serde::Deserialize;

use crate::{
    AppState,
    task_list::{Task, Tasks},
    word_count::count_words,
    worker::start,
    ws::ws_handler,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/tasks", post(start_task))
        .route("/tasks/{id}", get(show_task).delete(cancel_task))
        .route("/ws/tasks", any(ws_handler))
}

/// Why something was not done.
pub enum TaskError {
    TooFast,
    TooMany,
    Unknown,
    Ended,
}

impl IntoResponse for TaskError {
    fn into_response(self) -> Response {
        let retry = matches!(self, Self::TooFast).then_some([(header::RETRY_AFTER, "1")]);
        let (status, sentence) = match self {
            Self::TooFast => (StatusCode::TOO_MANY_REQUESTS, "Too fast: wait a second."),
            Self::TooMany => (StatusCode::CONFLICT, "You have too many: cancel one."),
            Self::Unknown => (StatusCode::NOT_FOUND, "You have no such task."),
            Self::Ended => (StatusCode::CONFLICT, "This task has ended already."),
        };
        (status, retry, sentence).into_response()
    }
}

/// How much longer it should take than it has to: `?seconds=10`.
#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    seconds: u8,
}

/// Starts to count the words of a text. The answer does not wait for the result: it says
/// where to ask for it.
async fn start_task(
    _: AllowedOrigin,
    CurrentUser { username, .. }: CurrentUser,
    State(tasks): State<Tasks>,
    Query(Options { seconds }): Query<Options>,
    text: String,
) -> Result<impl IntoResponse, TaskError> {
    tasks.check_rate(&username)?;
    let pause = Duration::from_secs(seconds.into());
    let work = move |task: &_| count_words(&text, pause, task);
    let task = start(&tasks, &username, work)?;

    let location = [(header::LOCATION, format!("/tasks/{}", task.id))];
    Ok((StatusCode::ACCEPTED, location, Json(task)))
}

async fn show_task(
    user: CurrentUser,
    State(tasks): State<Tasks>,
    Path(id): Path<u64>,
) -> Result<Json<Task>, TaskError> {
    tasks.of(&user.username).get(id).map(Json)
}

/// Cancels a task. To do it twice is no mistake.
async fn cancel_task(
    _: AllowedOrigin,
    CurrentUser { username, .. }: CurrentUser,
    State(tasks): State<Tasks>,
    Path(id): Path<u64>,
) -> Result<StatusCode, TaskError> {
    tasks.check_rate(&username)?;
    tasks.of(&username).cancel(id).map(|()| StatusCode::NO_CONTENT)
}
