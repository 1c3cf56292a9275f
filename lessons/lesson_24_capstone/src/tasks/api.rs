//! What people ask for over HTTP: `POST /tasks`, `GET /tasks`, `GET /tasks/{id}` and
//! `DELETE /tasks/{id}`.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, FromRef, FromRequest, Request, State,
        rejection::StringRejection,
    },
    http::{HeaderName, StatusCode, header::LOCATION},
    middleware::from_fn_with_state,
    routing::{any, get},
};
use serde::Deserialize;

use super::{
    task_list::{PER_PERSON, Task, TaskError, TaskId, TaskLimit, Tasks},
    word_count::WordCounter,
    worker::start,
    ws::ws_handler,
};
use crate::{
    auth::{Auth, CurrentUser, require_user},
    error::ApiError,
    extract::{Path, Query},
    limits::{ConnectionLimits, RateLimits},
    server::Shutdown,
    sizes::MAX_BODY_SIZE,
    telemetry::Metrics,
};

/// How long we take for a text by default, in seconds: long enough to see progress.
const DURATION: u64 = 10;

/// The longest that anybody may ask for, in seconds.
const DURATION_LIMIT: u64 = 60;

/// When a client may try again that found all tasks taken.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// All about tasks, for people who have signed in.
pub fn routes<S>(state: &S) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    Metrics: FromRef<S>,
    RateLimits: FromRef<S>,
    Shutdown: FromRef<S>,
    Tasks: FromRef<S>,
{
    Router::new()
        .route("/tasks", get(list_tasks).post(start_task))
        .route("/tasks/{id}", get(show_task).delete(cancel_task))
        .route_layer(from_fn_with_state(state.clone(), require_user::<S>))
        .route("/ws/tasks", any(ws_handler)) // `SessionUpgrade` has checks of its own.
        .layer(DefaultBodyLimit::max(MAX_BODY_SIZE))
}

/// How to count: `?seconds=10`.
#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    seconds: Seconds,
}

/// How long the work should take, from 0 to 60 seconds.
#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Seconds(u64);

impl Default for Seconds {
    fn default() -> Self {
        Self(DURATION)
    }
}

impl TryFrom<u64> for Seconds {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        match seconds {
            0..=DURATION_LIMIT => Ok(Self(seconds)),
            _ => Err(format!(
                "{seconds} seconds are too many: the limit is {DURATION_LIMIT}"
            )),
        }
    }
}

/// A text that is not empty, and not too long.
struct Text(String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match String::from_request(request, state).await {
            Ok(text) if text.trim().is_empty() => {
                Err(ApiError::unprocessable("There is nothing to count: send a text."))
            }
            Ok(text) => Ok(Self(text)),
            Err(error @ StringRejection::InvalidUtf8(_)) => {
                Err(ApiError::new(error.status(), "This is not text in UTF-8."))
            }
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let sentence =
                    format!("This text is too long: the limit is {MAX_BODY_SIZE} bytes.");
                Err(ApiError::new(error.status(), sentence))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Starts to count the words of a text. The answer does not wait for the result: it says
/// where to ask for it.
async fn start_task(
    CurrentUser { username, .. }: CurrentUser,
    State(tasks): State<Tasks>,
    Query(Options { seconds: Seconds(seconds) }): Query<Options>,
    Text(text): Text,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Task>), ApiError> {
    let (work, duration) = (WordCounter::of(text), Duration::from_secs(seconds));
    let task = start(&tasks, &username, work, duration)?;

    let location = [(LOCATION, format!("/tasks/{}", task.id))];
    Ok((StatusCode::ACCEPTED, location, Json(task)))
}

impl From<TaskLimit> for ApiError {
    fn from(limit: TaskLimit) -> Self {
        match limit {
            TaskLimit::OfUser => Self::too_many(
                format_args!(
                    "{PER_PERSON} of your tasks are unfinished: wait, or cancel one"
                ),
                RETRY_AFTER,
            ),
            TaskLimit::InAll => {
                Self::unavailable("Too many tasks are unfinished", RETRY_AFTER)
            }
        }
    }
}

async fn list_tasks(user: CurrentUser, State(tasks): State<Tasks>) -> Json<Vec<Task>> {
    Json(tasks.of(&user.username).list())
}

async fn show_task(
    user: CurrentUser,
    State(tasks): State<Tasks>,
    Path(id): Path<TaskId>,
) -> Result<Json<Task>, ApiError> {
    let task = tasks.of(&user.username).get(id);
    task.map(Json).ok_or_else(|| refused(id, &TaskError::Unknown))
}

/// Cancels a task. To do it twice is no mistake.
async fn cancel_task(
    user: CurrentUser,
    State(tasks): State<Tasks>,
    Path(id): Path<TaskId>,
) -> Result<StatusCode, ApiError> {
    match tasks.of(&user.username).cancel(id) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(refused(id, &error)),
    }
}

fn refused(id: TaskId, error: &TaskError) -> ApiError {
    match error {
        TaskError::Unknown => ApiError::not_found(error.sentence(id)),
        TaskError::Ended => ApiError::conflict(error.sentence(id)),
    }
}
