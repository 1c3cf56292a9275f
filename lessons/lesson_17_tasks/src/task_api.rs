//! What people ask for over HTTP: `POST /tasks`, `GET /tasks`, `GET /tasks/{id}` and
//! `DELETE /tasks/{id}`.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State},
    http::{
        HeaderName, StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde::Deserialize;

use crate::{
    Chat,
    counting::{Counting, TEXT_LIMIT},
    guards::{Guest, OwnPage},
    tasks::{Full, PER_PERSON, Refused, Task, TaskId},
    watching::open_watch,
};

/// How long we take for a text, unless we are told: long enough to watch.
const DURATION: u64 = 10;

/// The longest that anybody may ask for, in seconds.
const DURATION_LIMIT: u64 = 60;

pub fn router() -> Router<Chat> {
    Router::new()
        .route("/tasks", get(list_tasks).post(start_task))
        .route("/tasks/{id}", get(show_task).delete(cancel_task))
        .route("/ws/tasks", any(open_watch))
        .layer(DefaultBodyLimit::max(TEXT_LIMIT))
}

/// What a client gets instead of what it wanted.
type Refusal = (StatusCode, String);

/// How to count: `?seconds=10`.
#[derive(Deserialize)]
struct Order {
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
pub struct Text(String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match String::from_request(request, state).await {
            Ok(text) if text.trim().is_empty() => Err((
                StatusCode::UNPROCESSABLE_ENTITY,
                "There is nothing to count: send a text.".into(),
            )),
            Ok(text) => Ok(Self(text)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err((
                error.status(),
                format!("This text is too long: the limit is {TEXT_LIMIT} bytes."),
            )),
            Err(error) => Err((error.status(), "This is not text in UTF-8.".into())),
        }
    }
}

/// Starts to count the words of a text. The answer does not wait for the result: it says
/// where to ask for it.
async fn start_task(
    _: OwnPage,
    guest: Guest,
    State(chat): State<Chat>,
    Query(Order { seconds: Seconds(seconds) }): Query<Order>,
    Text(text): Text,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Task>), Full> {
    let (work, duration) = (Counting::of(text), Duration::from_secs(seconds));
    let task = chat.tasks.start(&guest.username, work, duration)?;

    let location = [(LOCATION, format!("/tasks/{}", task.id))];
    Ok((StatusCode::ACCEPTED, location, Json(task)))
}

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let (status, sentence) = match self {
            Self::ForYou => (
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "{PER_PERSON} of your tasks are unfinished. Wait, or cancel one."
                ),
            ),
            Self::ForAll => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many tasks are unfinished. Try again in ten seconds.".into(),
            ),
        };
        (status, [(RETRY_AFTER, "10")], sentence).into_response()
    }
}

async fn list_tasks(guest: Guest, State(chat): State<Chat>) -> Json<Vec<Task>> {
    Json(chat.tasks.of(&guest.username).list())
}

async fn show_task(
    guest: Guest,
    State(chat): State<Chat>,
    Path(id): Path<TaskId>,
) -> Result<Json<Task>, Refusal> {
    let task = chat.tasks.of(&guest.username).get(id);
    task.map(Json).ok_or_else(|| refuse(id, &Refused::Unknown))
}

/// Cancels a task. To do it twice is no mistake.
async fn cancel_task(
    _: OwnPage,
    guest: Guest,
    State(chat): State<Chat>,
    Path(id): Path<TaskId>,
) -> Result<StatusCode, Refusal> {
    match chat.tasks.of(&guest.username).cancel(id) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(refused) => Err(refuse(id, &refused)),
    }
}

fn refuse(id: TaskId, refused: &Refused) -> Refusal {
    let status = match refused {
        Refused::Unknown => StatusCode::NOT_FOUND,
        Refused::Ended => StatusCode::CONFLICT,
    };
    (status, refused.sentence(id))
}
