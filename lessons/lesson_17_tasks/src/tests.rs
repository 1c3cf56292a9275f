#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod tasks;

use axum::Router;

use self::people::{auth, seen_from, token};
use crate::task_list::Tasks;

probe::conformance! { app(), &format!("/ws/tasks?token={}", token("ana")) }
probe::sign_in_conformance! { app(), "/ws/tasks", &token("ana") }
probe::transcripts!(app());

fn app() -> Router {
    app_of(Tasks::default())
}

/// The application, and its tasks, to start other work than counting, or to stop it.
fn app_of(tasks: Tasks) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), tasks))
}
