mod agreement;
mod events;
#[allow(dead_code)] // It has the path of a room, and there are no rooms here.
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod rest;

use axum::{Router, http::Request};
use probe::{Check, Client, Hint, Server};
use serde_json::{Value, json};

use self::people::{auth, seen_from, token};
use crate::{AppState, users::Users};

probe::conformance! { app(), &ws_path("ana") }
probe::sign_in_conformance! { app(), "/api/v1/ws/users", &token("ana") }
probe::transcripts!(app());

fn app() -> Router {
    app_and_users().0
}

/// The application, and the list that it serves: a test may change it without a request.
fn app_and_users() -> (Router, Users) {
    let state = AppState::new(auth());
    let users = state.users.clone();
    (seen_from([192, 0, 2, 1], super::app(state)), users)
}

fn ws_path(name: &str) -> String {
    format!("/api/v1/ws/users?token={}", token(name))
}

/// Somebody who is subscribed, and has received the greeting.
async fn subscribes(server: &Server, name: &str) -> Result<Client, Hint> {
    let mut client = server.connect(name, &ws_path(name)).await?;
    client.hears(greeting()).await?;
    Ok(client)
}

fn greeting() -> Value {
    let message = "Connected to channel: users";
    json!({ "type": "connection", "message": message, "channel": "users" })
}

fn event(kind: &str, version: i64, data: Value) -> Value {
    json!({ "type": kind, "model": "users", "version": version, "data": data })
}

/// A user whom nobody has changed yet.
fn user(id: i64, name: &str) -> Value {
    let Value::Object(mut user) = new_user(name) else { return Value::Null };
    user.insert("id".into(), id.into());
    user.insert("is_active".into(), true.into());
    user.into()
}

/// The body of the `POST` for that user.
fn new_user(name: &str) -> Value {
    json!({ "name": name, "email": format!("{}@example.org", name.to_lowercase()) })
}

/// What a request has been answered with.
struct Reply {
    status: u16,
    version: Option<i64>,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends a request as somebody who has signed in: `asks(&server, "ana", "GET /users", NONE)`.
async fn asks(
    server: &Server,
    name: &str,
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let bearer = format!("Bearer {}", token(name));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let kind = ("content-type", "application/json");
    asks_with(server, &[("authorization", &bearer), kind], what, body).await
}

const NONE: Value = Value::Null;

async fn asks_with(
    server: &Server,
    headers: &[(&str, &str)],
    what: &str,
    body: String,
) -> Result<Reply, Hint> {
    let (method, path) = what.split_once(' ').unwrap_or(("GET", what));
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body).map_err(|error| Hint::new(error.to_string()))?;
    let response = server.request(request).await?;

    let version = response.headers.get("x-version");
    let version = version.and_then(|text| text.to_str().ok()?.parse().ok());
    Ok(Reply { status: response.status.as_u16(), version, body: response.body })
}

/// Adds a user, and expects that to work.
async fn adds(server: &Server, name: &str) -> Check {
    let reply = asks(server, "ben", "POST /users", new_user(name)).await?;
    assert_eq!(reply.status, 201, "{name} is added: {}", reply.body);
    Ok(())
}
