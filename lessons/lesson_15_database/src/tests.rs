mod agreement;
mod api;
mod database;
mod fields;
mod order;
mod owners;
#[allow(dead_code)] // It has the path of a room, and there are no rooms here.
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;

use axum::{Router, http::Request};
use lesson_15_database::{Database, IN_MEMORY, MIGRATIONS};
use probe::{Check, Client, Hint, Server};
use serde_json::{Value, json};

use self::people::{auth, seen_from, token};

probe::conformance! { app(), &ws_path("ana") }
probe::sign_in_conformance! { app(), "/api/v1/ws/users", &token("ana") }
probe::transcripts!(app());

fn app() -> Router {
    app_on(in_memory())
}

fn app_on(database: Database) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), database))
}

fn in_memory() -> Database {
    Database::open(IN_MEMORY, MIGRATIONS).expect("memory is always there")
}

fn ws_path(name: &str) -> String {
    format!("/api/v1/ws/users?token={}", token(name))
}

/// Somebody who is subscribed, and has received the greeting.
async fn subscribes(server: &Server, name: &str) -> Result<Client, Hint> {
    let mut client = server.connect(name, &ws_path(name)).await?;
    client.hears_any().await?;
    Ok(client)
}

/// The next event of a subscriber, without the time at which the row was created.
async fn next_event(client: &mut Client) -> Result<Value, Hint> {
    let mut event: Value =
        serde_json::from_str(&client.hears_any().await?).unwrap_or_default();
    take_time(&mut event["data"]);
    Ok(event)
}

fn event(kind: &str, version: i64, data: Value) -> Value {
    json!({ "type": kind, "model": "users", "version": version, "data": data })
}

/// The body of a `POST` for a user with this name.
fn new_user(name: &str) -> Value {
    json!({ "name": name, "email": format!("{}@example.org", name.to_lowercase()) })
}

/// A user whom nobody has changed since Ben created it, without the time.
fn user(id: i64, name: &str) -> Value {
    let email = format!("{}@example.org", name.to_lowercase());
    json!({
        "id": id, "owner": "ben", "name": name, "email": email, "phone": null,
        "is_active": true
    })
}

/// Takes the time out of a user: no test knows it.
fn take_time(user: &mut Value) -> Value {
    let fields = user.as_object_mut();
    fields.and_then(|fields| fields.remove("created_at")).unwrap_or_default()
}

/// What a request has been answered with.
struct Reply {
    status: u16,
    body: Value,
    version: Option<i64>,
    link: Option<String>,
    retry_after: Option<String>,
}

const NONE: Value = Value::Null;

/// Sends a request as somebody who has signed in: `asks(&server, "ana", "GET /users", NONE)`.
async fn asks(
    server: &Server,
    name: &str,
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    asks_with(server, &[bearer(name), ("content-type", JSON.into())], what, body).await
}

const JSON: &str = "application/json";

fn bearer(name: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token(name)))
}

async fn asks_with(
    server: &Server,
    headers: &[(&str, String)],
    what: &str,
    body: String,
) -> Result<Reply, Hint> {
    let (method, path) = what.split_once(' ').unwrap_or(("GET", what));
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(body).map_err(|error| Hint::new(error.to_string()))?;
    let response = server.request(request).await?;

    let header = |name| Some(response.headers.get(name)?.to_str().ok()?.to_owned());
    Ok(Reply {
        status: response.status.as_u16(),
        body: serde_json::from_str(&response.body).unwrap_or_default(),
        version: header("x-version").and_then(|text| text.parse().ok()),
        link: header("link"),
        retry_after: header("retry-after"),
    })
}

/// Ben adds a user, and that works.
async fn adds(server: &Server, name: &str) -> Check {
    let reply = asks(server, "ben", "POST /users", new_user(name)).await?;
    assert_eq!(reply.status, 201, "{name} is added: {}", reply.body);
    Ok(())
}
