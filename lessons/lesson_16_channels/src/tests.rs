mod channels;
mod models;
mod order;
#[allow(dead_code)] // It has the path of a room, and there are no rooms here.
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod publishing;

use axum::{Router, http::Request};
use lesson_15_database::{Database, IN_MEMORY};
use probe::{ANY, Check, Client, Hint, Server};
use serde_json::{Value, json};

use self::people::{auth, seen_from, token, username};
use crate::{
    events::{Identity, random_name},
    migrations,
};

probe::conformance! { app(), &ws_path("ana", "/users") }
probe::sign_in_conformance! { app(), "/api/v1/ws/users", &token("ana") }
probe::transcripts!(app());

const NONE: Value = Value::Null;

fn app() -> Router {
    let database =
        Database::open(IN_MEMORY, &migrations()).expect("memory is always there");
    seen_from([192, 0, 2, 1], super::app(auth(), database))
}

/// The path of a socket: `ws_path("ana", "/users?client_id=tablet")`.
fn ws_path(name: &str, rest: &str) -> String {
    let join = if rest.contains('?') { '&' } else { '?' };
    format!("/api/v1/ws{rest}{join}token={}", token(name))
}

/// Somebody subscribes to a channel as the client `ana-1` or `ben-1`, and is greeted.
async fn subscribes(server: &Server, name: &str, channel: &str) -> Result<Client, Hint> {
    let path = ws_path(name, &format!("/{channel}?client_id={name}-1"));
    let mut client = server.connect(name, &path).await?;
    client.hears_any().await?;
    Ok(client)
}

/// A client of somebody, without a socket.
fn identity(name: &str) -> Identity {
    Identity { username: username(name), client_id: random_name() }
}

/// The body of a `POST` for a user with this name.
fn new_user(name: &str) -> Value {
    json!({ "name": name, "email": format!("{}@example.org", name.to_lowercase()) })
}

/// The body of a `POST` for a post by this user.
fn new_post(user_id: i64, title: &str) -> Value {
    json!({ "user_id": user_id, "title": title, "body": "I like it." })
}

/// An event about the first user.
fn event(kind: &str, version: i64, name: &str, owner: &str) -> Value {
    json!({
        "type": kind, "model": "users", "channel": "users", "version": version,
        "timestamp": ANY,
        "data": {
            "id": 1, "owner": owner, "name": name, "email": "dora@example.org",
            "phone": null, "is_active": true, "created_at": ANY
        },
    })
}

/// What a request has been answered with.
struct Reply {
    status: u16,
    body: Value,
    version: Option<i64>,
    link: Option<String>,
}

/// Sends a request as somebody who has signed in: `asks(&server, "ana", "GET /users", NONE)`.
async fn asks(
    server: &Server,
    name: &str,
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    asks_with(server, &[bearer(name)], what, body).await
}

fn bearer(name: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token(name)))
}

async fn asks_with(
    server: &Server,
    headers: &[(&str, String)],
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let (method, path) = what.split_once(' ').unwrap_or(("GET", what));
    let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    let mut request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = request.body(body).map_err(|error| Hint::new(error.to_string()))?;
    let response = server.request(request).await?;

    let header = |name| Some(response.headers.get(name)?.to_str().ok()?.to_owned());
    Ok(Reply {
        status: response.status.as_u16(),
        body: serde_json::from_str(&response.body).unwrap_or_default(),
        version: header("x-version").and_then(|version| version.parse().ok()),
        link: header("link"),
    })
}

/// Makes a change, and expects that to work.
async fn makes(server: &Server, name: &str, what: &str, body: Value) -> Check {
    let reply = asks(server, name, what, body).await?;
    assert!(reply.status < 300, "{what} by {name}: {}", reply.body);
    Ok(())
}
